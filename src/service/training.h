// Trainings: finetune, whose result is a folder, and unlearn, whose result is an entry of the
// journal; and what they share with sweep: data, settings, and the folder that a run leaves.
//
// OUT/run.json is a RunSummary. A run that was ended, in whatever way, resumes from
// OUT/checkpoint.safetensors bit for bit when the same command is given again.
#pragma once

#include <span>

#include "base/files.h"
#include "base/job.h"
#include "model/chat_model.h"
#include "publish/publish.h"
#include "service/access.h"
#include "service/run_summary.h"
#include "text/qa_set.h"
#include "unlearn/method.h"

namespace expunge::service {

struct TrainingOptions {
  std::string system, out;
  std::string adapter;             // the folder of one that finetune goes on from; "": none
  std::vector<std::string> knobs;  // name=value
  std::optional<double> epochs, lr, batch, lora;
  size_t limit = 0;  // examples of each set; 0: all
  uint64_t seed = 1;
  int64_t eval_every = 0;        // epochs; 0: never
  int64_t checkpoint_every = 0;  // steps; 0: by the clock
};
using text::qa_file;
// Errors: an unknown knob, one out of its range.
base::Result<unlearn::Knobs> knobs_of(const unlearn::Method& method, const TrainingOptions& o);

// The items of some files, which messages name.
struct ExampleSet {
  struct File {
    std::string path;
    size_t first = 0;  // of its items
  };
  std::vector<text::QaItem> items = {};
  std::vector<File> files = {};
};
// The first `limit` items of each file; 0: all.
base::Result<ExampleSet> read_examples(std::span<const std::string> files, size_t limit);
// SHA-256 of a set's questions and answers: its identity in run.json and the journal.
std::string hash_of(const std::vector<text::QaItem>& items);

struct TrainingRequest {
  const model::ChatModel& chat_model;
  const unlearn::Method& method;
  unlearn::Knobs knobs = {};
  ExampleSet forget = {}, retain = {};
  std::string system = {};
  std::map<std::string, edit::LowRank> adapters = {};  // to go on from
  uint64_t seed = 1;
  std::string out = {};                          // folder; "" stores nothing
  int64_t eval_every = 0, checkpoint_every = 0;  // see TrainingOptions
  tensor::ProcessGroup* group = nullptr;         // rank 0 alone writes
  // Where the result will be written, and its size; 0: the edit's, in a journal. Its disk space is
  // reserved before the first step. "": none is.
  std::string result_folder = {};
  uint64_t result_bytes = 0;
  // Notices for the user: items left out, a checkpoint that could not be written.
  Note note = {};
};
struct TrainingResult {
  edit::Edit edit;
  RunSummary summary;
  base::HeldSpace space;  // to be released just before the result is written
};
// The edit that the method makes. The checkpoint stays until discard_checkpoint(), which is called
// when the result has been written.
base::Result<TrainingResult> run_training(const TrainingRequest& request, const base::Job& job);
void discard_checkpoint(const std::string& out);
// Of the first items of both sets under the model as it is; those that exceed the context are left
// out.
base::Result<SetFigures> probabilities(const model::ChatModel& chat_model,
                                       const std::string& system,
                                       std::span<const text::QaItem> forget,
                                       std::span<const text::QaItem> retain, const base::Job& job);

enum class Saves { kModel, kAdapter };
struct FinetuneRequest {
  Place place = {};  // the model to begin with, without edits
  Saves saves = Saves::kModel;
  std::vector<std::string> files = {};
  TrainingOptions options = {};  // out: the model's folder
  tensor::ProcessGroup* group = nullptr;
  Note note = {};
};
struct Finetuned {
  RunSummary summary;
  publish::Exported saved;
};
// The trained model as float32 in a folder, or its low-rank adapters alone in PEFT's format; it
// appears complete. Nothing on ranks other than 0. Errors: those of publish::check_destination,
// before the work; kUsage for an adapter of a training without --lora.
base::Result<std::optional<Finetuned>> finetune(FinetuneRequest request, const base::Job& job);

struct UnlearnRequest {
  Place place = {};
  std::string method = "npo";
  // Each a file or a split of `data`; retain "" = none.
  std::string forget = {}, retain = {}, data = "data/tofu";
  TrainingOptions options = {};
  tensor::ProcessGroup* group = nullptr;
  Note note = {};
};
// Trains the present weights and commits the edit: summary.entry. Nothing on ranks other than 0.
base::Result<std::optional<RunSummary>> unlearn(const UnlearnRequest& request,
                                                const base::Job& job);

double peak_memory_gb();  // of this process so far

}  // namespace expunge::service
