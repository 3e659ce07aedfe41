// The watchdog: does the user want something forgotten, corrected, undone, reported, or nothing?
//
// Reads the whole dialogue; no second model. Three layers: cues (data/watchdog/cues.json), rules
// for what cues settle by themselves (a "yes" to an offer to forget), and a probe over cues, hashed
// words and, where the caller has them, the served model's own hidden states. It never edits
// anything.
#pragma once

#include <array>
#include <functional>
#include <optional>

#include "agent/plan.h"
#include "agent/watchdog_cues.h"
#include "agent/watchdog_probe.h"
#include "base/run.h"

namespace expunge::agent {

constexpr size_t kIntents = 5;

struct WatchdogTarget {
  std::string prompt, response, replacement;  // response "" = the model itself must be asked
};

struct Verdict {
  Intent intent = Intent::kNone;
  double confidence = 0;                         // of `intent`, calibrated by cross-validation
  std::array<double, kIntents> probabilities{};  // in Intent's order
  std::vector<WatchdogTarget> targets;           // for forget and correct
  std::string question;           // to be put to the user before anything is done; "" if none
  std::vector<std::string> cues;  // what was seen in the dialogue
  std::string rule;               // the rule that decided, "" = the probe
  bool sure() const { return confidence >= 0.8; }
};
base::Json to_json(const Verdict& verdict);

struct Example {
  std::string id;
  std::vector<text::Message> dialogue;
  Intent intent = Intent::kNone;
  std::vector<WatchdogTarget> targets;
  std::string note;  // "category, language: reason"
};
base::Result<std::vector<Example>> examples_from_jsonl(std::string_view text,
                                                       std::string_view what);
// data/watchdog/dev.jsonl, built into the program.
const std::vector<Example>& builtin_examples();

// Hidden states of the dialogue's prefill, always equally many; the width is the caller's choice.
using Features = std::function<base::Result<std::vector<float>>(std::span<const text::Message>)>;

// The targets of a request whose intent is known. Without a model: rules and heuristics.
std::vector<WatchdogTarget> find_targets(std::span<const text::Message> dialogue, Intent intent);

class Watchdog {
 public:
  // Trains the probe. `hidden` holds one row an example, or is empty: then cues and words decide.
  static Watchdog train(std::span<const Example> examples,
                        std::span<const std::vector<float>> hidden);
  // `hidden` as in training: its features for this dialogue, or empty.
  base::Result<Verdict> read(std::span<const text::Message> dialogue,
                             std::span<const float> hidden = {}) const;
  size_t hidden_width() const { return mean_.size(); }

  base::Json to_json() const;  // for the cache, which must be keyed by model and program version
  static base::Result<Watchdog> from_json(const base::Json& json);

 private:
  std::vector<float> features(std::span<const float> cues, std::span<const text::Message> dialogue,
                              std::span<const float> hidden) const;
  Probe probe_;
  std::vector<float> mean_, scale_;
};

// A row of hidden states for every example; empty without `features`.
base::Result<std::vector<std::vector<float>>> hidden_of(std::span<const Example> examples,
                                                        const Features& features,
                                                        const base::Progress& progress = {});

}  // namespace expunge::agent
