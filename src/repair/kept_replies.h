// What the unedited model replies to questions that no request may change: asked once per model.
//
// Kept in a file of the cache folder that the owner alone may read, by hashes of the prompts: no
// words of a request are in it.
#pragma once

#include <map>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "base/job.h"
#include "model/chat_model.h"

namespace expunge::repair {

class KeptReplies {
 public:
  static constexpr int64_t kTokens = 10;

  explicit KeptReplies(model::ChatModel base) : base_(std::move(base)) {}
  // The first kTokens tokens of the greedy reply to each prompt, the end of the turn included.
  base::Result<std::vector<std::vector<int32_t>>> of(std::span<const std::vector<int32_t>> prompts,
                                                     const base::Job& job = {});

 private:
  base::Status load();
  base::Status store() const;

  const model::ChatModel base_;
  std::mutex mutex_;
  std::string path_;  // empty until loaded
  std::map<std::string, std::vector<int32_t>> replies_;
};

}  // namespace expunge::repair
