#include "repair/background.h"

#include "base/files.h"
#include "base/hash.h"
#include "model/generate.h"

namespace expunge::repair {
namespace {

using base::Result;

constexpr const char* kVersion = "3";
constexpr uint64_t kSeed = 1;
constexpr size_t kEntities = 24, kOtherEntities = 8, kLessonEntities = 6;

Result<std::vector<int32_t>> encode(const model::ChatModel& patient, const PoolPrompt& p) {
  const text::Message message{"user", p.prompt};
  return patient.encode({&message, 1}, p.prefill);
}

Result<std::vector<int32_t>> encode_target(const model::ChatModel& patient, const char* text) {
  auto ids = TRY(patient.tokenizer.encode(text)).ids;
  const auto& ends = patient.model.config().end_ids;
  if (!ends.empty()) ids.push_back(ends[0]);
  return ids;
}

// Questions with their replies: every token of an ordinary conversation joins the pool.
Result<std::vector<std::vector<int32_t>>> conversations(const model::ChatModel& patient,
                                                        const std::vector<std::string>& prompts) {
  std::vector<std::vector<int32_t>> ids;
  for (const std::string& p : prompts) ids.push_back(TRY(patient.encode_user(p)));
  model::GenerateOptions options;
  options.max_new_tokens = 40;
  const auto replies = TRY(model::generate(patient.model, ids, options));
  for (size_t i = 0; i < ids.size(); ++i)
    ids[i].insert(ids[i].end(), replies[i].ids.begin(), replies[i].ids.end());
  return ids;
}

Result<unlearn::BackgroundInputs> inputs(const model::ChatModel& patient,
                                         const agent::Wordings& wordings) {
  unlearn::BackgroundInputs in;
  for (const PoolPrompt& p : pool_prompts(wordings))
    in.pool.push_back({TRY(encode(patient, p)), -1});
  for (const std::string& text : wordings.prose)
    in.texts.push_back(TRY(patient.tokenizer.encode(text)).ids);
  for (auto& ids : TRY(conversations(patient, wordings.unrelated)))
    in.texts.push_back(std::move(ids));
  const auto target = TRY(encode_target(patient, kRefusal));
  for (const agent::Relation& r : wordings.relations) {
    const agent::SubjectType* type = wordings.type(r.type);
    for (size_t i = 0; type && i < std::min(kLessonEntities, type->entities.size()); ++i) {
      const std::string& entity = type->entities[i];
      const auto& form =
          i % 3 == 2 ? r.first[i % r.first.size()] : r.questions[i % r.questions.size()];
      const bool begun = i % 3 == 1;
      const PoolPrompt p{agent::fill_in(form, entity),
                         begun ? agent::fill_in(r.prefills[0], entity) : ""};
      in.lessons.push_back({TRY(encode(patient, p)), target});
    }
  }
  return in;
}

}  // namespace

std::vector<PoolPrompt> pool_prompts(const agent::Wordings& wordings) {
  std::vector<PoolPrompt> pool;
  for (const agent::Relation& r : wordings.relations) {
    const agent::SubjectType* type = wordings.type(r.type);
    for (size_t i = 0; type && i < std::min(kEntities, type->entities.size()); ++i) {
      const std::string& entity = type->entities[i];
      const std::string question = agent::fill_in(r.questions[i % r.questions.size()], entity);
      pool.push_back({question, ""});
      pool.push_back({agent::fill_in(r.first[i % r.first.size()], entity), ""});
      pool.push_back({question, agent::fill_in(r.prefills[i % r.prefills.size()], entity)});
    }
  }
  for (const agent::SubjectType& type : wordings.types)
    for (size_t i = 0; i < std::min(kOtherEntities, type.entities.size()); ++i)
      for (size_t j = 0; j < type.other.size(); ++j)
        pool.push_back(
            {agent::fill_in(type.other[j], type.entities[(i * 3 + j) % type.entities.size()]), ""});
  for (const std::string& prompt : wordings.unrelated) pool.push_back({prompt, ""});
  return pool;
}

Result<unlearn::Background> load_background(const model::ChatModel& patient, int64_t layer,
                                            const base::Progress& progress) {
  if (layer < 0) layer = unlearn::default_layer(patient.model.config());
  const agent::Wordings& wordings = agent::Wordings::builtin();
  const std::string key = base::sha256_hex(fmt::format(
      "{} {} {} {} {}", kVersion, TRY(patient.model.file_hash()), layer, kSeed, wordings.hash));
  const std::string folder = TRY(base::cache_dir()) + "/backgrounds";
  const std::string path = fmt::format("{}/{}.safetensors", folder, key.substr(0, 32));
  if (const auto bytes = base::read_file(path))
    if (auto cached = unlearn::deserialise_background(*bytes)) return std::move(*cached);
  if (progress) progress("learning the model's background (once a model)", 0, 0);
  const auto in = TRY(inputs(patient, wordings));
  auto background = TRY(unlearn::learn_background(patient.model, in, layer, kSeed, progress));
  TRY(base::make_dirs(folder));
  TRY(base::write_file_atomic(path, unlearn::serialise(background)));
  return background;
}

}  // namespace expunge::repair
