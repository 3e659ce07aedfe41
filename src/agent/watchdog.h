// The watchdog: does the user want something forgotten, corrected, undone, reported, or nothing?
//
// It reads the whole dialogue and needs no second model. Three layers: cues
// (data/watchdog/cues.json), rules for what cues alone settle (a "yes" to an offer to forget), and
// a probe over cues, hashed words and, where the caller has them, hidden states of the served
// model. It never edits anything.
#pragma once

#include <functional>

#include "agent/watchdog_cues.h"
#include "agent/watchdog_probe.h"
#include "agent/watchdog_reading.h"
#include "base/job.h"

namespace expunge::agent {

// Of the message that is read, in bytes; longer ones are refused.
constexpr size_t kMaxMessage = 65536;
// A dialogue that can be read: it ends with a message of the user, of at most kMaxMessage bytes.
base::Status check_dialogue(std::span<const text::Message> dialogue);

struct Example {
  std::string id;
  std::vector<text::Message> dialogue;
  Intent intent = Intent::kNone;
  std::vector<WatchdogTarget> targets;
  std::string note;  // "category, language: reason"
};
base::Result<std::vector<Example>> examples_from_jsonl(std::string_view text,
                                                       std::string_view what);
// data/watchdog/dev.jsonl, built into the program: what every watchdog is trained on.
const std::vector<Example>& builtin_examples();

// Hidden states of the served model at the dialogue; every row has the same width, which is the
// caller's choice.
using Features = std::function<base::Result<std::vector<float>>(std::span<const text::Message>)>;

// The targets of a request whose intent is known. Without a model: rules and heuristics.
std::vector<WatchdogTarget> find_targets(std::span<const text::Message> dialogue, Intent intent);

class Watchdog {
 public:
  // Trains the probe. `hidden`: one row for each example, or empty: then cues and words decide.
  static Watchdog train(std::span<const Example> examples,
                        std::span<const std::vector<float>> hidden);
  // `hidden`: this dialogue's row, of the width that the training had; empty without one. Errors:
  // another width, no message of the user at the end, or one above kMaxMessage.
  base::Result<Reading> read(std::span<const text::Message> dialogue,
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
                                                        const base::Job& job = {});

// A watchdog with the hidden states of the model that it was trained with: the one way in which a
// chat, a command and a benchmark read a dialogue.
struct ModelWatchdog {
  Watchdog watchdog;
  Features features;  // null: cues and words alone

  // Trained on builtin_examples().
  static base::Result<ModelWatchdog> train(Features features, const base::Job& job = {});
  base::Result<Reading> read(std::span<const text::Message> dialogue) const;
};

}  // namespace expunge::agent
