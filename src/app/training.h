// What finetune, unlearn and sweep share: data, settings, and the folder that a run leaves.
//
// OUT/run.json holds settings, versions, hashes, losses and figures; a run that was interrupted
// goes on from OUT/checkpoint.safetensors bit for bit when the same command is given again.
#pragma once

#include "app/command.h"
#include "repair/session.h"
#include "text/qa_set.h"
#include "unlearn/method.h"
#include "verify/evaluate.h"

namespace expunge::app {

struct TrainingOptions {
  std::string system, out;
  std::vector<std::string> knobs;  // name=value
  std::optional<double> epochs, lr, batch, lora;
  size_t limit = 0;  // examples of each set; 0: all
  uint64_t seed = 1;
  int64_t eval_every = 0;  // epochs; 0: never
};
// --epochs, --lr, --batch, --lora, --knob, --seed, --system, --limit, --out.
void add_training_options(CLI::App& cli, TrainingOptions& options);
using text::qa_file;
// Errors: an unknown knob, one out of its range.
base::Result<unlearn::Knobs> knobs_of(const unlearn::Method& method, const TrainingOptions& o);

struct Trainee {
  const model::ChatModel& patient;
  const unlearn::Method& method;
  unlearn::Knobs knobs;
  std::vector<text::QaItem> forget = {}, retain = {};
  std::string system = {};
  uint64_t seed = 1;
  std::string out = {};  // folder; "" keeps nothing
  int64_t eval_every = 0;
  base::Progress progress = {};
  tensor::Group* group = nullptr;  // rank 0 alone writes
};
// The edit that the method makes, and run.json as it stands in the folder.
struct TrainedRun {
  edit::Edit edit;
  base::Json record;
};
base::Result<TrainedRun> run_training(const Trainee& trainee);
base::Status write_record(const std::string& out, const base::Json& record);

// Of both sets under the model as it is: mean answer probability, {forget_prob, retain_prob}.
base::Result<base::Json> probabilities(const Trainee& trainee);

// SHA-256 of a set's questions and answers: what run.json and the journal know it by.
std::string hash_of(const std::vector<text::QaItem>& items);

double peak_memory_gb();  // of this process so far

}  // namespace expunge::app
