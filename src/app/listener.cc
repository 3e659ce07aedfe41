#include "app/listener.h"

namespace expunge::app {

using base::Code;
using base::Result;

Result<Listener> Listener::make(const std::string& url) {
  Listener listener;
  if (!url.empty())
    return base::fail(Code::kUnsupported, "a watchdog behind a URL is not in this version",
                      "leave out --watchdog for the one built in");
  listener.builtin_ = agent::Watchdog::train(agent::builtin_examples(), {});
  return listener;
}

Result<agent::Verdict> Listener::read(std::span<const text::Message> dialogue) const {
  return builtin_->read(dialogue);
}

std::string as_message(const std::string& words) {
  // Whoever writes a whole request is taken at their word.
  for (const char* fragment : {"that ", "about ", "who ", "what ", "where ", "when ", "how "})
    if (words.starts_with(fragment)) return "Please forget " + words;
  return words;
}

std::vector<agent::Request> requests_of(const agent::Verdict& verdict) {
  std::vector<agent::Request> requests;
  for (const agent::WatchdogTarget& t : verdict.targets)
    requests.push_back({t.prompt, t.response, t.replacement, {}, {}, {}});
  return requests;
}

}  // namespace expunge::app
