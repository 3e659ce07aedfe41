// A model evaluated by a suite: its file as it is, as the journal makes it now, or as it was after
// an entry. With the unedited model beside it, if that is wanted; or a log, without a model.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/job.h"
#include "service/access.h"
#include "tensor/process_group.h"
#include "verify/tofu.h"

namespace expunge::service {

struct EvaluateRequest {
  Place place = {};
  Edits edits = Edits::kApplied;      // kIgnored: the model's file, and no journal
  std::optional<int64_t> entry = {};  // with the edits that were active after it; none = the last
  bool with_base = false;             // the model without edits first
  std::string suite = "tofu", out = {};  // out: folder for the evaluations; "" = in memory only
  std::map<std::string, std::string> values = {};  // of the suite's options, by name
  tensor::ProcessGroup* group = nullptr;           // rank 0 alone writes
  Note note = {};
};

struct EvaluatedRun {
  std::string label;
  verify::Evaluation evaluation;
};
struct EvaluateResult {
  std::vector<EvaluatedRun> runs = {};  // what was asked for is the last; the base is before it
  std::string out = {};                 // where they were stored; "" = nowhere
  std::string report = {};              // see write_report
};
// What is wrong with the suite's data or options is an error before the model is loaded. kNotFound:
// no such entry; kUsage: with_base where the model has no edits.
base::Result<EvaluateResult> evaluate(const EvaluateRequest& request, const base::Job& job);
// The figures of a log's records.
base::Result<EvaluateResult> evaluate_log(const verify::LogOptions& log, const std::string& out);
// OUT/report.html with every item, if the result is stored and its records have questions and
// replies, which TOFU's alone do; result.report says where.
base::Status write_report(EvaluateResult& result);

}  // namespace expunge::service
