// What the watchdog understood of a dialogue: the intent, how sure it is, and what it is about.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "agent/plan.h"
#include "text/message.h"

namespace expunge::agent {

constexpr size_t kIntents = 5;

struct WatchdogTarget {
  std::string prompt, response, replacement;  // response "" = the model itself must be asked
  bool topic = false;                         // all that is known about something, not one answer
};

struct Reading {
  Intent intent = Intent::kNone;
  double confidence = 0;                         // of `intent`
  std::array<double, kIntents> probabilities{};  // in Intent's order
  std::vector<WatchdogTarget> targets = {};      // for forget and correct
  std::string question = {};  // to be put to the user before anything is done; "" if none
  bool sure() const { return confidence >= kSure; }

  static constexpr double kSure = 0.8;
};

inline bool edits(Intent intent) { return intent == Intent::kForget || intent == Intent::kCorrect; }

base::Json to_json(const Reading& reading);
// {intent, confidence?, targets} of an endpoint's answer, at most 32 targets; refused with the
// field's name if anything else is in it. Without a confidence the user must be asked.
base::Result<Reading> reading_from_json(const base::Json& json);

}  // namespace expunge::agent
