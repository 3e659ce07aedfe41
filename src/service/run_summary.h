// What a training leaves in OUT/run.json: settings, versions, hashes, losses and figures. No words
// of the sets.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "edit/fit.h"
#include "unlearn/knob.h"

namespace expunge::service {

// What identifies a set. The hash is of questions and answers, in order.
struct SetSummary {
  size_t items = 0;
  std::string sha256;
};

// Items of a set that were left out, since they exceed the model's context; the first of them.
struct SkippedItems {
  std::string set;  // "forget", "retain"
  size_t items = 0;
  std::string file;
  int64_t row = 0;  // among the file's items, from 0
  size_t tokens = 0, limit = 0;
};
std::string describe(const SkippedItems& skipped);

// Mean probability of the answers; nothing for an empty set.
struct SetFigures {
  std::optional<double> forget_prob, retain_prob;
};
struct EpochFigures {
  int64_t epoch = 0;  // from 1
  SetFigures figures;
};

struct RunSummary {
  std::string method;  // "": not a training, a model as it is
  unlearn::Knobs knobs;
  uint64_t seed = 1;
  std::string system, weights_hash;  // of the model that it begins with
  std::string begun;                 // SHA-256 of the adapter that it goes on from; "": none
  SetSummary forget, retain;
  std::string citation, expunge, libtorch;
  int processes = 1;
  std::vector<SkippedItems> skipped;
  std::vector<EpochFigures> epochs;
  std::optional<edit::Fitted> fitted;  // of a gradient method
  std::optional<double> edit_norm, seconds, peak_memory_gb;
  std::optional<SetFigures> before, after;
  std::string trained_weights_hash;  // of finetune's result
  std::optional<int64_t> entry;      // of the journal
  std::string label;                 // within a sweep
  bool finished = false;
};

base::Json to_json(const SetSummary& set);
base::Json to_json(const SetFigures& figures);
base::Json to_json(const RunSummary& summary);
// kCorrupt; `path` names the source.
base::Result<RunSummary> run_summary_from_json(const base::Json& json, const std::string& path);

// What must be the same for a run to be resumed: method, knobs, seed, system, model and sets.
std::string identity_of(const RunSummary& summary);

// OUT/run.json; a summary without a method if there is none.
base::Status write_summary(const std::string& out, const RunSummary& summary);
base::Result<RunSummary> read_summary(const std::string& out);

}  // namespace expunge::service
