// Labelled dialogues (data/watchdog): what the watchdog is trained on and measured by.
#pragma once

#include "agent/watchdog/watchdog.h"

namespace expunge::agent {

struct Example {
  std::string id;
  std::vector<text::Message> dialogue;
  Intent intent = Intent::kNone;
  std::vector<WatchdogTarget> targets;
  std::string note;  // "category, language: reason"
};
base::Result<std::vector<Example>> examples_from_jsonl(std::string_view text,
                                                       std::string_view what);

}  // namespace expunge::agent
