#include "service/entries.h"

#include <algorithm>

#include "base/utf8.h"

namespace expunge::service {

using base::Code;
using base::fail;
using base::Json;
using base::one_line;
using base::printable;
using base::Result;
using base::Status;
using verify::GateResult;
using verify::Sense;

namespace {

Result<journal::Journal> must_open(const Place& place, journal::Mode mode) {
  auto journal = TRY(open_journal(place, mode));
  if (!journal)
    return fail(Code::kNotFound, "nothing has been forgotten yet", "see 'expunge forget --help'");
  return std::move(*journal);
}

}  // namespace

Result<Log> read_log(const journal::Journal& journal) {
  Log log;
  log.journal = journal.path();
  for (const journal::Entry& e : TRY(journal.active())) log.active.push_back(e.id);
  const std::vector<journal::Entry> all = TRY(journal.entries());
  for (const journal::Entry& e : all) {
    LoggedEntry logged{e, std::ranges::count(log.active, e.id) > 0};
    for (const journal::Entry& later : all)
      if (logged.undone_by == 0 && later.kind == journal::Kind::kUndo && later.undoes == e.id)
        logged.undone_by = later.id;
    log.entries.push_back(std::move(logged));
  }
  return log;
}

Result<Log> read_log(const Place& place) {
  const auto journal = TRY(open_journal(place, journal::Mode::kReadOnly));
  return journal ? read_log(*journal) : Log();
}

std::string state_of(const LoggedEntry& e) {
  if (e.active) return e.entry.verdict == "partial" ? "active, partial" : "active";
  if (e.undone_by != 0) return fmt::format("undone by {}", e.undone_by);
  return std::string(journal::name(e.entry.kind));
}

Result<EntryEvidence> read_entry(const Place& place, int64_t id) {
  return read_entry(TRY(must_open(place, journal::Mode::kReadOnly)), id);
}

Result<EntryEvidence> read_entry(const journal::Journal& journal, int64_t id) {
  TRY(journal.entry(id));
  Log log = TRY(read_log(journal));
  EntryEvidence evidence;
  evidence.entry = *std::ranges::find(log.entries, id, [](const auto& e) { return e.entry.id; });
  const journal::Entry& e = evidence.entry.entry;
  const auto report_of = [&](const char* key) {
    const Json part = e.report.is_object() ? e.report.value(key, Json::object()) : Json::object();
    return is_trained(e) ? trained_report(e, part) : verify::report_from_json(part);
  };
  evidence.before = report_of("before");
  evidence.after = report_of("after");
  return evidence;
}

Status seal_entry(const Place& place, int64_t id) {
  return TRY(must_open(place, journal::Mode::kUpdate)).seal(id);
}

bool is_trained(const journal::Entry& e) { return e.verdict == "trained"; }

verify::Report trained_report(const journal::Entry& entry, const Json& now) {
  const Json then = entry.report.value("after", Json::object());
  verify::Report report;
  for (const auto& [name, sense, sign] :
       {std::tuple("forget_prob", Sense::kAtMost, 1.0), {"retain_prob", Sense::kAtLeast, -1.0}}) {
    if (!then.contains(name)) continue;
    GateResult gate;
    gate.name = name;
    gate.section = sense == Sense::kAtMost ? verify::Section::kForgotten : verify::Section::kKept;
    gate.sense = sense;
    const double was = then[name].get<double>();
    gate.bound = was + sign * (0.1 * was + 0.01);
    if (now.contains(name))
      gate.value = now[name].get<double>();
    else
      gate.absent = "the set was not given";
    report.gates.push_back(std::move(gate));
  }
  return report;
}

std::string title(const journal::Entry& e) {
  if (e.kind == journal::Kind::kUndo) return fmt::format("undoes {}", e.undoes);
  if (e.sealed) return "[sealed]";
  if (e.plan.is_object() && e.plan.contains("targets") && e.plan["targets"].is_array() &&
      !e.plan["targets"].empty()) {
    const Json& targets = e.plan["targets"];
    std::string text = targets[0].value("prompt", std::string());
    if (const std::string r = targets[0].value("response", std::string()); !r.empty())
      text += " → " + r;
    if (targets.size() > 1) text += fmt::format(" (and {} more)", targets.size() - 1);
    return printable(one_line(text));
  }
  if (is_trained(e) && e.request.is_object() && e.request.contains("examples"))
    return fmt::format("{} on {} examples", e.method,
                       e.request["examples"].value("/forget/items"_json_pointer, size_t{0}));
  return std::string(journal::name(e.kind));
}

}  // namespace expunge::service
