// What the user wants in words: the watchdog built in, or one behind a URL.
#pragma once

#include <optional>
#include <string>

#include "agent/endpoint.h"
#include "agent/surgeon.h"
#include "agent/watchdog.h"
#include "model/patient.h"

namespace expunge::app {

class Listener {
 public:
  // url "": the built-in watchdog, trained once a model on cues, words and the patient's hidden
  // states, cached on disk. The patient must outlive the listener.
  static base::Result<Listener> make(const std::string& url, const model::Patient& patient,
                                     const base::Progress& progress);
  base::Result<agent::Verdict> read(std::span<const text::Message> dialogue) const;

 private:
  std::optional<agent::Watchdog> builtin_;
  agent::Features features_;
  std::optional<agent::Endpoint> endpoint_;
};

// A plain-word request of the command line ("that the capital of France is Paris") as a message.
std::string as_message(const std::string& words);
std::vector<agent::Request> requests_of(const agent::Verdict& verdict);

}  // namespace expunge::app
