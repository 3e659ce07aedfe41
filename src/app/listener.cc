#include "app/listener.h"

namespace expunge::app {

using base::Result;

Result<Listener> Listener::make(const std::string& url) {
  Listener listener;
  if (url.empty())
    listener.builtin_ = agent::Watchdog::train(agent::builtin_examples(), {});
  else
    listener.endpoint_ = TRY(agent::endpoint_from_url(url));
  return listener;
}

Result<agent::Verdict> Listener::read(std::span<const text::Message> dialogue) const {
  return builtin_ ? builtin_->read(dialogue) : agent::ask_watchdog(*endpoint_, dialogue);
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
