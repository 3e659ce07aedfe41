// What is learned of an unedited model once, for all requests about it: redirect's background, the
// replies that no request may change. Cached on disk; safe to ask from several threads.
#pragma once

#include <mutex>
#include <optional>

#include "base/job.h"
#include "model/chat_model.h"
#include "repair/kept_replies.h"
#include "unlearn/background.h"
#include "verify/base_replies.h"

namespace expunge::repair {

class Baseline {
 public:
  struct Facts {
    unlearn::Background background;
    verify::BaseReplies replies;  // at the background's layer
  };

  explicit Baseline(const model::ChatModel& base) : base_(base), replies_(base) {}
  // Learned at the first call; the pointer lives as long as the object.
  base::Result<const Facts*> facts(const base::Job& job);
  KeptReplies& replies() { return replies_; }

 private:
  const model::ChatModel base_;
  KeptReplies replies_;
  std::mutex mutex_;
  std::optional<Facts> facts_;
};

}  // namespace expunge::repair
