#include "cli/evidence.h"

#include <algorithm>
#include <array>

#include "cli/layout.h"

namespace expunge::cli {
namespace {

using base::Json;
using verify::Gate;
using verify::Sense;

struct Row {
  std::string_view gate, label;
  std::string_view section;  // printed above its first row
  bool share = true;
  int digits = 2;  // of its bound
};
constexpr std::array<Row, 10> kRows = {
    {{"exact", "the question itself", "forgotten"},
     {"paraphrases", "unseen paraphrases", "forgotten"},
     {"probing", "probing", "forgotten"},
     {"forget_prob", "answers' probability", "forgotten", false, 3},
     {"neighbours", "neighbours", "kept"},
     {"same_subject", "same subject", "kept"},
     {"unrelated", "unrelated", "kept"},
     {"retain_prob", "answers' probability", "kept", false, 3},
     {"perplexity", "perplexity ratio", "language", false},
     {"reply_nll", "reply, nats a token", "language", false}}};

bool is_share(const Gate& g) {
  const auto row = std::ranges::find(kRows, g.name, &Row::gate);
  return row == kRows.end() || row->share;
}

std::string value_text(const Gate* g) {
  if (!g) return "";
  if (!g->absent.empty()) return "–";
  if (!is_share(*g)) return fmt::format("{:.3f}", g->value);
  if (g->items.empty()) return fmt::format("{:.2f}", g->value);
  return fmt::format("{}/{}", std::ranges::count_if(g->items, &verify::Item::good),
                     g->items.size());
}

std::string label_of(std::string_view gate) {
  const auto row = std::ranges::find(kRows, gate, &Row::gate);
  return std::string(row == kRows.end() ? gate : row->label);
}

std::string gate_row(const Terminal& t, const Row& row, const Gate* before, const Gate& after) {
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
  for (const Row& row : kRows) {
    const Gate* gate = after.find(row.gate);
    if (!gate) continue;
    if (row.section != section) out += "  " + t.paint(Tone::kBold, row.section) + "\n";
    section = row.section;
    out += gate_row(t, row, before ? before->find(row.gate) : nullptr, *gate);
  }
  return out;
}

std::string reply_list(const Terminal& t, const verify::Report& report) {
  std::string out;
  for (const Gate& gate : report.gates) {
    if (gate.items.empty()) continue;
    out += "  " + t.paint(Tone::kBold, label_of(gate.name)) + "\n";
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
  for (const Gate& g : report.gates) {
    if (g.passed()) continue;
    out +=
        fmt::format("{}{} {:.3g}, {} {:.3g} is needed", out.empty() ? "" : "; ", label_of(g.name),
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
