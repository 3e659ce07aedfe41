#include "repair/preparation.h"

#include <algorithm>

namespace expunge::repair {
namespace {

using base::Result;

constexpr size_t kEntities = 24, kOtherEntities = 8, kLessonEntities = 6;

Result<std::vector<int32_t>> encode_common(const model::ChatModel& chat_model,
                                           const CommonPrompt& p) {
  const text::Message message{"user", p.prompt};
  return chat_model.encode({&message, 1}, p.prefill);
}

Result<std::vector<int32_t>> encode_target(const model::ChatModel& chat_model,
                                           const std::string& text) {
  auto ids = TRY(chat_model.tokenizer.encode(text)).ids;
  const auto& ends = chat_model.model.arch().end_ids;
  if (!ends.empty()) ids.push_back(ends[0]);
  return ids;
}

Result<std::vector<unlearn::Lesson>> refusals(const model::ChatModel& chat_model,
                                              const agent::Wordings& wordings) {
  std::vector<unlearn::Lesson> lessons;
  const auto target = TRY(encode_target(chat_model, wordings.refusal));
  for (const agent::Relation& r : wordings.relations) {
    const agent::SubjectType* type = wordings.type(r.type);
    for (size_t i = 0; type && i < std::min(kLessonEntities, type->entities.size()); ++i) {
      const std::string& entity = type->entities[i];
      const auto& form =
          i % 3 == 2 ? r.first[i % r.first.size()] : r.questions[i % r.questions.size()];
      const bool begun = i % 3 == 1;
      const CommonPrompt p{agent::fill_in(form, entity),
                           begun ? agent::fill_in(r.prefills[0], entity) : ""};
      lessons.push_back({TRY(encode_common(chat_model, p)), target});
    }
  }
  return lessons;
}

Result<unlearn::PreparationInputs> inputs(const model::ChatModel& chat_model,
                                          const agent::Wordings& wordings) {
  unlearn::PreparationInputs in;
  for (const CommonPrompt& p : common_prompts(wordings))
    in.prompts.push_back({TRY(encode_common(chat_model, p)), -1});
  for (const std::string& text : wordings.prose)
    in.texts.push_back(TRY(chat_model.encode_text(text)));
  for (const std::string& question : wordings.unrelated)
    in.questions.push_back(TRY(chat_model.encode_user(question)));
  in.refusals = TRY(refusals(chat_model, wordings));
  return in;
}

}  // namespace

std::vector<CommonPrompt> common_prompts(const agent::Wordings& wordings) {
  std::vector<CommonPrompt> all;
  for (const agent::Relation& r : wordings.relations) {
    const agent::SubjectType* type = wordings.type(r.type);
    for (size_t i = 0; type && i < std::min(kEntities, type->entities.size()); ++i) {
      const std::string& entity = type->entities[i];
      const std::string question = agent::fill_in(r.questions[i % r.questions.size()], entity);
      all.push_back({question, ""});
      all.push_back({agent::fill_in(r.first[i % r.first.size()], entity), ""});
      all.push_back({question, agent::fill_in(r.prefills[i % r.prefills.size()], entity)});
    }
  }
  for (const agent::SubjectType& type : wordings.types)
    for (size_t i = 0; i < std::min(kOtherEntities, type.entities.size()); ++i)
      for (size_t j = 0; j < type.other.size(); ++j)
        all.push_back(
            {agent::fill_in(type.other[j], type.entities[(i * 3 + j) % type.entities.size()]), ""});
  for (const std::string& prompt : wordings.unrelated) all.push_back({prompt, ""});
  return all;
}

std::vector<int64_t> related_prompts(const agent::Wordings& wordings, const agent::Target& target) {
  std::vector<int64_t> related;
  const auto all = common_prompts(wordings);
  for (size_t i = 0; i < all.size(); ++i)
    if (all[i].prompt == target.prompt ||
        (!target.subject.empty() && all[i].prompt.find(target.subject) != all[i].prompt.npos))
      related.push_back(static_cast<int64_t>(i));
  return related;
}

unlearn::PreparationSource preparation_source(const model::ChatModel& chat_model,
                                              const agent::Wordings& wordings) {
  return {wordings.hash + wordings.refusal, [&] { return inputs(chat_model, wordings); }};
}

}  // namespace expunge::repair
