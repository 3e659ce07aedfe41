// What is learned of an unedited model once, for all requests about it: what methods prepare, and
// the replies that no request may change. Cached on disk; safe to ask from several threads.
#pragma once

#include <map>
#include <mutex>
#include <string>

#include "agent/wordings.h"
#include "base/job.h"
#include "model/chat_model.h"
#include "repair/kept_replies.h"
#include "unlearn/method.h"
#include "verify/base_replies.h"

namespace expunge::repair {

class Baseline {
 public:
  // For one method.
  struct Facts {
    unlearn::PreparedPtr prepared;  // null if it has no preparation
    verify::BaseReplies replies;    // at the layer that the method begins at
  };

  // `wordings` must outlive the object.
  explicit Baseline(const model::ChatModel& base,
                    const agent::Wordings& wordings = agent::Wordings::builtin())
      : base_(base), wordings_(wordings), replies_(base) {}
  // Learned at the first call; the pointer lives as long as the object.
  base::Result<const Facts*> facts(const unlearn::Method& method, const base::Job& job);
  KeptReplies& replies() { return replies_; }
  const agent::Wordings& wordings() const { return wordings_; }

 private:
  const model::ChatModel base_;
  const agent::Wordings& wordings_;
  KeptReplies replies_;
  std::mutex mutex_;
  std::map<std::string_view, Facts> facts_;  // by the method's name
};

}  // namespace expunge::repair
