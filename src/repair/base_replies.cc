#include "repair/base_replies.h"

#include "base/files.h"
#include "base/hash.h"
#include "repair/problem.h"

namespace expunge::repair {
namespace {

// States of every token that will be examined: a prompt with its reply but the last token, a text.
bool fits(const verify::BaseReplies& r, const std::vector<std::vector<int32_t>>& ids,
          const std::vector<std::vector<int32_t>>& texts, const model::Arch& config) {
  const auto holds = [&](const tensor::Tensor& states, size_t tokens) {
    return states.dim() == 2 && states.size(0) >= static_cast<int64_t>(tokens) &&
           states.size(1) == config.d_model;
  };
  if (r.unrelated.size() != ids.size() || r.texts.size() != texts.size()) return false;
  for (size_t i = 0; i < ids.size(); ++i)
    if (const verify::Question& q = r.unrelated[i];
        q.reply.empty() || !holds(q.entering, ids[i].size() + q.reply.size() - 1))
      return false;
  for (size_t i = 0; i < texts.size(); ++i)
    if (r.texts[i].ids != texts[i] || !holds(r.texts[i].entering, texts[i].size())) return false;
  return true;
}

}  // namespace

base::Result<verify::BaseReplies> load_base_replies(const model::ChatModel& chat_model,
                                                    const agent::Wordings& wordings, int64_t layer,
                                                    const base::Job& job) {
  constexpr const char* kVersion = "2";
  constexpr size_t kUnrelated = 12, kTexts = 2;
  const auto prompts = spread(wordings.unrelated, kUnrelated);
  std::vector<std::vector<int32_t>> ids, texts;
  for (const std::string& p : prompts) ids.push_back(TRY(encode(chat_model, p)));
  for (const std::string& t : spread(wordings.prose, kTexts))
    texts.push_back(TRY(chat_model.encode_text(t)));
  // The tokens name wordings and template at once.
  const std::string key =
      base::sha256_hex(fmt::format("{} {} {} {} {}", kVersion, TRY(chat_model.model.answer_key()),
                                   layer, fmt::join(ids, ";"), fmt::join(texts, ";")));
  const std::string folder = TRY(base::cache_dir()) + "/backgrounds";
  const std::string path = fmt::format("{}/{}.replies", folder, key.substr(0, 32));
  if (const auto bytes = base::read_file(path))
    if (auto cached = verify::deserialise_base_replies(*bytes);
        cached && fits(*cached, ids, texts, chat_model.model.arch()))
      return std::move(*cached);
  auto learned = TRY(verify::learn_base_replies(chat_model.model, prompts, ids, texts, layer, job));
  TRY(base::make_dirs(folder));
  TRY(base::write_file_atomic(path, verify::serialise(learned)));
  return learned;
}

}  // namespace expunge::repair
