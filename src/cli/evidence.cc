#include "cli/evidence.h"

#include <algorithm>

#include "cli/layout.h"
#include "verify/gate.h"

namespace expunge::cli {
namespace {

using base::Json;
using verify::GateResult;
using verify::Sense;

// How a figure is shown. A training's figures are not gates of a request: they have separate
// rows.
struct Row {
  std::string_view name, label;
  bool share = true;
  int digits = 2;  // of its bound
};
constexpr Row kTrainingRows[] = {{"forget_prob", "answers' probability", false, 3},
                                 {"retain_prob", "answers' probability", false, 3}};

Row row_of(const GateResult& g) {
  if (const verify::Gate* gate = verify::find_gate(g.name))
    return {gate->name, gate->label, gate->unit == verify::Unit::kShare};
  const auto row = std::ranges::find(kTrainingRows, g.name, &Row::name);
  return row == std::end(kTrainingRows) ? Row{g.name, g.name} : *row;
}

std::string value_text(const GateResult* g) {
  if (!g) return "";
  if (!g->absent.empty()) return "–";
  if (!row_of(*g).share) return fmt::format("{:.3f}", g->value);
  if (g->items.empty()) return fmt::format("{:.2f}", g->value);
  return fmt::format("{}/{}", std::ranges::count_if(g->items, &verify::Item::good),
                     g->items.size());
}

std::string gate_row(const Terminal& t, const GateResult* before, const GateResult& after) {
  const Row row = row_of(after);
  const char* sign = after.sense == Sense::kAtLeast ? "≥" : "≤";
  const std::string bound =
      after.absent.empty() ? fmt::format("{} {:.{}f}", sign, after.bound, row.digits) : "";
  const std::string mark = !after.absent.empty() ? t.paint(Tone::kDim, "not asked")
                           : after.passed()      ? t.paint(Tone::kGood, "pass")
                                                 : t.paint(Tone::kBad, "FAIL");
  return fmt::format("    {}{}{}   {}   {}\n", pad(std::string(row.label), 22),
                     pad_left(value_text(before), 9), pad_left(value_text(&after), 9),
                     pad(bound, 8), mark);
}

}  // namespace

std::string gate_table(const Terminal& t, const verify::Report* before,
                       const verify::Report& after) {
  std::string out = t.paint(
      Tone::kDim, fmt::format("    {}{}{}   {}\n", pad("", 22), pad_left(before ? "before" : "", 9),
                              pad_left(before ? "after" : "now", 9), "needed"));
  std::string_view section;
  for (const GateResult& gate : after.gates) {
    if (verify::name(gate.section) != section) {
      section = verify::name(gate.section);
      out += fmt::format("  {}\n", t.paint(Tone::kBold, std::string(section)));
    }
    out += gate_row(t, before ? before->find(gate.name) : nullptr, gate);
  }
  return out;
}

std::string reply_list(const Terminal& t, const verify::Report& report) {
  std::string out;
  for (const GateResult& gate : report.gates) {
    if (gate.items.empty()) continue;
    out += "  " + t.paint(Tone::kBold, std::string(row_of(gate).label)) + "\n";
    for (const verify::Item& item : gate.items) {
      const std::string mark = item.good ? t.paint(Tone::kGood, "+") : t.paint(Tone::kBad, "-");
      const std::string asked =
          item.prefill.empty() ? item.prompt : item.prompt + " → " + item.prefill;
      out += fmt::format("    {} {}\n", mark, fit(printable(one_line(asked)), kColumns - 6));
      out +=
          "      " + t.paint(Tone::kDim, fit(printable(one_line(item.reply)), kColumns - 6)) + "\n";
    }
  }
  return out;
}

std::string failures(const verify::Report& report) {
  std::string out;
  for (const GateResult& g : report.gates) {
    if (g.passed()) continue;
    out += fmt::format("{}{} {:.3g}, {} {:.3g} is needed", out.empty() ? "" : "; ", row_of(g).label,
                       g.value, g.sense == Sense::kAtLeast ? "at least" : "at most", g.bound);
  }
  return out;
}

std::string proposal(const agent::Plan& plan) {
  std::string out;
  for (const agent::Target& t : plan.targets) {
    if (!out.empty()) out += '\n';
    const bool correct = plan.intent == agent::Intent::kCorrect;
    out +=
        fmt::format("{}: Q '{}' answer '{}'", correct ? "Correct" : "Forget", t.prompt, t.response);
    if (!t.replacement.empty()) out += fmt::format(" → '{}'", t.replacement);
  }
  return printable(out);
}

std::string recheck_line(const Terminal& t, const std::vector<repair::Recheck>& rechecks) {
  int64_t asked = 0, forgotten = 0;
  std::string leaking;
  for (const repair::Recheck& r : rechecks) {
    asked += r.asked;
    forgotten += r.forgotten;
    if (r.forgotten < r.asked) leaking += fmt::format(" {}", r.entry);
  }
  if (asked == 0) return "";
  const std::string line =
      fmt::format("earlier requests asked again: {} of {} still forgotten", forgotten, asked);
  return leaking.empty() ? line : t.paint(Tone::kWarn, line + "; not those of" + leaking);
}

}  // namespace expunge::cli
