// One evaluation of one model, written to a file as it proceeds.
//
// The file (OUT/evaluation.json) contains settings, items, records and figures; it is written after
// every block. An evaluation with the same settings resumes where it ended. It may have more items
// by then.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "verify/figures.h"
#include "verify/skipped.h"
#include "verify/suite.h"

namespace expunge::verify {

struct Evaluation {
  std::string suite, model;           // model: its label, as the user gave it
  std::optional<int64_t> entry = {};  // of the journal; none = the file, or what was given
  std::string weights_hash = {};      // "" = from a log, which has none
  base::Json settings = base::Json::object(), items = base::Json::object();  // see Work
  base::Json records = base::Json::object();  // as the suite has them
  Figures figures = {};
  std::vector<Skipped> skipped = {};
  std::map<std::string, double> seconds = {};
  std::map<std::string, int64_t> tokens = {};
};
// {"suite", "model", "entry", "weights_hash", "expunge", "settings", "summary", "absent",
//  "left_out", "skipped", "records", "seconds", "tokens"}; what is not known is missing.
base::Json to_json(const Evaluation& evaluation);

class EvaluationFile {
 public:
  explicit EvaluationFile(std::string path) : path_(std::move(path)) {}
  // The file's records for such an evaluation; none if there is no file. kConflict: it is
  // of another model, other settings, or items that this evaluation does not have.
  base::Result<base::Json> records_for(const Evaluation& evaluation) const;
  base::Status write(const Evaluation& evaluation) const;  // with its items

 private:
  std::string path_;
};

struct EvaluationRun {
  std::string label;             // of the model
  std::optional<int64_t> entry;  // of the journal
  std::string file;              // of this run; "" = in memory only
};
base::Result<Evaluation> run_evaluation(const model::ChatModel& chat_model,
                                        const EvaluationRun& run, const Work& work,
                                        tensor::ProcessGroup* group = nullptr,
                                        const base::Job& job = {});

}  // namespace expunge::verify
