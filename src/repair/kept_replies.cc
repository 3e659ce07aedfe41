#include "repair/kept_replies.h"

#include "base/files.h"
#include "base/hash.h"
#include "base/json.h"
#include "model/generate.h"
#include "verify/base_replies.h"

namespace expunge::repair {
namespace {

using base::Json;
using base::Result;

constexpr const char* kVersion = "2";

std::string key_of(std::span<const int32_t> prompt) {
  return base::sha256_hex(std::as_bytes(prompt)).substr(0, 32);
}

// {key: [ids]} of a file; nothing if it is missing or damaged: the model is asked again then.
std::map<std::string, std::vector<int32_t>> read(const std::string& path, int64_t vocab_size) {
  std::map<std::string, std::vector<int32_t>> replies;
  const auto json = base::read_json(path);
  if (!json || !json->is_object()) return replies;
  for (const auto& [key, ids] : json->items()) {
    std::vector<int32_t> reply;
    if (!ids.is_array() || ids.size() > static_cast<size_t>(KeptReplies::kTokens) + 1) continue;
    for (const Json& id : ids)
      if (id.is_number_integer() && id.get<int64_t>() >= 0 && id.get<int64_t>() < vocab_size)
        reply.push_back(id.get<int32_t>());
    if (!reply.empty() && reply.size() == ids.size()) replies[key] = std::move(reply);
  }
  return replies;
}

}  // namespace

base::Status KeptReplies::load() {
  if (!path_.empty()) return {};
  const std::string folder = TRY(base::cache_dir()) + "/replies";
  TRY(base::make_dirs(folder));
  const std::string key =
      base::sha256_hex(fmt::format("{} {} {}", kVersion, kTokens, TRY(base_.model.answer_key())));
  path_ = fmt::format("{}/{:.32}.json", folder, key);
  replies_ = read(path_, base_.model.arch().vocab_size);
  return {};
}

// Replies that another process stored meanwhile remain.
base::Status KeptReplies::store() const {
  auto all = read(path_, base_.model.arch().vocab_size);
  for (const auto& [key, reply] : replies_) all[key] = reply;
  return base::write_file_atomic(path_, base::dump_json(Json(all)), base::Access::kSecret);
}

Result<std::vector<std::vector<int32_t>>> KeptReplies::of(
    std::span<const std::vector<int32_t>> prompts, const base::Job& job) {
  const std::lock_guard lock(mutex_);
  TRY(load());
  std::vector<std::string> keys;
  std::vector<std::vector<int32_t>> unknown;
  std::vector<std::string> unknown_keys;
  for (const auto& prompt : prompts) {
    keys.push_back(key_of(prompt));
    if (replies_.contains(keys.back())) continue;
    unknown.push_back(prompt);
    unknown_keys.push_back(keys.back());
  }
  TRY(job.check());
  if (!unknown.empty()) {
    model::GenerateOptions options;
    options.max_new_tokens = kTokens;
    const auto replies = TRY(model::generate(base_.model, unknown, options, job));
    for (size_t i = 0; i < unknown.size(); ++i)
      replies_[unknown_keys[i]] = verify::reply_ids(replies[i]);
    TRY(store());
  }
  std::vector<std::vector<int32_t>> found;
  for (const std::string& key : keys) found.push_back(replies_.at(key));
  return found;
}

}  // namespace expunge::repair
