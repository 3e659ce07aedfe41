// What the user wants, from the words of a dialogue: the built-in watchdog, or one at a URL.
#pragma once

#include <optional>
#include <string>

#include "agent/endpoint.h"
#include "agent/surgeon/surgeon.h"
#include "agent/watchdog/watchdog.h"
#include "service/session.h"

namespace expunge::service {

class IntentReader {
 public:
  // "": the built-in watchdog; "self": the session's own model, unedited, which must be able to
  // follow instructions; else the URL of an endpoint.
  static base::Result<IntentReader> make(const std::string& watchdog, Session& session);
  base::Result<agent::Reading> read(std::span<const text::Message> dialogue,
                                    const base::Job& job = {}) const;

 private:
  std::shared_ptr<const Agents> agents_;
  std::shared_ptr<const Writer> self_;
  std::optional<agent::Endpoint> endpoint_;
};

// The request of a command line ("that the capital of France is Paris") as a message of a chat.
std::string as_message(const std::string& words);
std::vector<agent::Request> requests_of(const agent::Reading& reading);

}  // namespace expunge::service
