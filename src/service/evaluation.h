// One evaluation of one model, kept in a folder as it goes.
//
// OUT/evaluation.json holds settings, items, records and figures; it is written after every block.
// An evaluation with the same settings goes on where it stands. It may have more items by then.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "base/json.h"
#include "base/run.h"
#include "model/chat_model.h"

namespace expunge::service {

// Takes all records there are so far; empty where nothing is to be kept.
using Keep = std::function<base::Status(base::Json records)>;

// What a suite has to do, whatever the model.
struct Work {
  std::string suite;
  base::Json settings = base::Json::object();  // two runs with other ones have no record in common
  // In the tree in which records lie, hash_of(what a record is computed from):
  // {"forget": {"0": "5f3c…"}}. A hash in the place of a branch stands for all its records.
  base::Json items = base::Json::object();
  // -> {"summary", "records", …}. Items that `done` has records of are not computed again.
  std::function<base::Result<base::Json>(const model::ChatModel& patient, const base::Json& done,
                                         const Keep& keep)>
      run;
};
std::string hash_of(const base::Json& content);

struct EvaluationRun {
  std::string label;             // of the model, as the user gave it
  std::optional<int64_t> entry;  // of the journal; none = the file, or what was given
  std::string file;              // evaluation.json of this run; "" = kept in memory only
};
// {suite, model, entry, weights_hash, expunge, settings, absent, seconds} and what the work gives.
// kConflict: the file is of another model, other settings, or items that this run does not have.
base::Result<base::Json> run_evaluation(const model::ChatModel& patient, const EvaluationRun& run,
                                        const Work& work);

}  // namespace expunge::service
