// Sends the replies of one request: each piece as a chunk of a stream, or all in one body at the
// end. Its calls come from the decoding thread, after `begin`.
#pragma once

#include <memory>

#include "server/app.h"
#include "server/openai.h"

namespace expunge::server {

class Delivery : public std::enable_shared_from_this<Delivery> {
 public:
  Delivery(App& app, Call call, Kind kind, std::string id, const Ask& ask);

  struct Choice {
    std::vector<int32_t> prompt;
    service::CompletionOptions options;
  };
  // Called with each whole reply, before it is said to be complete.
  std::function<void(const std::string& text)> on_reply = {};
  // Has the model write all of them.
  void write(const model::ChatModel& model, std::vector<Choice> choices);
  // The assistant's own words instead of a reply, and what they are about as "expunge".
  void say(const std::string& text, const base::Json& about);
  void fail(const base::Error& error);

 private:
  void submit(const model::ChatModel& model, const std::vector<Choice>& choices);
  bool take(size_t choice, service::Piece piece);
  void end(size_t choice, const base::Result<service::Completed>& completed);
  void finish();

  App& app_;
  const Call call_;
  const Kind kind_;
  const bool streams_, wants_usage_;
  Replies replies_;
  std::vector<std::string> texts_;  // if on_reply wants them
  size_t n_open_ = 0;
  std::atomic<bool> failed_ = false;
};

}  // namespace expunge::server
