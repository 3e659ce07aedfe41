#include "service/evaluate.h"

#include "base/files.h"
#include "edit/edit.h"
#include "publish/html_report.h"

namespace expunge::service {

using base::Code;
using base::fail;
using base::Result;
using base::Status;

namespace {

struct Subject {
  std::string label;
  std::optional<int64_t> entry;
  model::ChatModel chat_model;    // without edits
  std::vector<edit::Edit> edits;  // that were active after the entry
};

Result<Subject> subject_of(const EvaluateRequest& request) {
  model::ChatModel chat_model = TRY(load_model(request.place, request.note));
  const std::string name = chat_model.path.substr(chat_model.path.find_last_of('/') + 1);
  Subject s{name, std::nullopt, std::move(chat_model), {}};
  if (request.edits == Edits::kIgnored) return s;
  const auto journal = TRY(open_journal(request.place, journal::Mode::kReadOnly));
  if (request.entry && !journal)
    return fail(Code::kNotFound, fmt::format("there is no entry {}", *request.entry),
                "see expunge log");
  if (!journal) return s;
  const int64_t entry = request.entry ? *request.entry : TRY(journal->head());
  if (entry == 0 && !request.entry) return s;
  s.edits = TRY(journal->active_edits(entry));
  s.label = fmt::format("entry {}", entry);
  s.entry = entry;
  return s;
}

std::string file_in(const std::string& out, const char* name) {
  return out.empty() ? "" : out + "/" + name;
}

}  // namespace

Result<EvaluateResult> evaluate(const EvaluateRequest& request, const base::Job& job) {
  EvaluateResult result;
  if (tensor::leads(request.group)) result.out = request.out;
  const verify::Suite* suite = TRY(verify::find_suite(request.suite));
  const verify::Work work =
      TRY(verify::prepare(*suite, verify::SuiteValues(request.values, result.out)));
  if (!result.out.empty()) TRY(base::make_dirs(result.out));
  Subject subject = TRY(subject_of(request));
  if (request.with_base && subject.edits.empty())
    return fail(Code::kUsage, "--base has no effect: the model has no edits",
                "leave out --base, or name an entry");
  const auto run = [&](const std::string& label, std::optional<int64_t> entry,
                       const char* name) -> Status {
    result.runs.push_back({label, TRY(verify::run_evaluation(
                                      subject.chat_model, {label, entry, file_in(result.out, name)},
                                      work, request.group, job))});
    return {};
  };
  if (request.with_base) TRY(run("base", std::nullopt, "base.json"));
  subject.chat_model.model = TRY(edit::apply(subject.chat_model.model, subject.edits));
  TRY(run(subject.label, subject.entry, "evaluation.json"));
  return result;
}

Result<EvaluateResult> evaluate_log(const verify::LogOptions& log, const std::string& out) {
  if (!out.empty()) TRY(base::make_dirs(out));
  EvaluateResult result{.runs = {}, .out = out};
  result.runs.push_back({"log", TRY(verify::evaluate_log(log, file_in(out, "evaluation.json")))});
  return result;
}

Status write_report(EvaluateResult& result) {
  if (result.out.empty() || result.runs.back().evaluation.suite != "tofu") return {};
  std::vector<publish::ReportRun> runs;
  for (const auto& [label, evaluation] : result.runs) runs.push_back({label, to_json(evaluation)});
  const std::string page = file_in(result.out, "report.html");
  TRY(base::write_file_atomic(page, TRY(publish::html_report(runs))));
  result.report = page;
  return {};
}

}  // namespace expunge::service
