#include "app/evidence.h"

#include <algorithm>

#include "app/layout.h"
#include "verify/gate.h"

namespace expunge::app {
namespace {

using base::Json;
using verify::GateResult;
using verify::Sense;

// How a figure is shown. A training's figures are no gates of a request: they have rows of their
// own.
struct Row {
  std::string_view name, label;
  bool share = true;
  int digits = 2;  // of its bound
};
constexpr Row kTrained[] = {{"forget_prob", "answers' probability", false, 3},
                            {"retain_prob", "answers' probability", false, 3}};

Row row_of(const GateResult& g) {
  if (const verify::Gate* gate = verify::find_gate(g.name))
    return {gate->name, gate->label, gate->unit == verify::Unit::kShare};
  const auto row = std::ranges::find(kTrained, g.name, &Row::name);
  return row == std::end(kTrained) ? Row{g.name, g.name} : *row;
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

verify::Report report_from_json(const Json& json) {
  verify::Report report;
  if (!json.is_object() || !json.contains("gates") || !json["gates"].is_array()) return report;
  const auto number = [](const Json& j, const char* key) {
    return j.contains(key) && j[key].is_number() ? j[key].get<double>() : 0.0;
  };
  const auto text = [](const Json& j, const char* key) {
    return j.contains(key) && j[key].is_string() ? j[key].get<std::string>() : std::string();
  };
  for (const Json& j : json["gates"]) {
    if (!j.is_object()) continue;
    GateResult g;
    g.name = text(j, "name");
    if (const verify::Gate* gate = verify::find_gate(g.name)) g.section = gate->section;
    if (g.name == kTrained[1].name) g.section = verify::Section::kKept;
    g.sense = text(j, "sense") == "at_most" ? Sense::kAtMost : Sense::kAtLeast;
    g.value = number(j, "value");
    g.bound = number(j, "bound");
    g.absent = text(j, "absent");
    if (g.absent.empty() && !j.contains("value")) g.absent = "sealed";
    if (j.contains("items") && j["items"].is_array())
      for (const Json& i : j["items"])
        if (i.is_object())
          g.items.push_back(
              {text(i, "prompt"), text(i, "prefill"), text(i, "reply"),
               i.contains("good") && i["good"].is_boolean() && i["good"].get<bool>()});
    report.gates.push_back(std::move(g));
  }
  return report;
}

bool is_trained(const journal::Entry& e) { return e.verdict == "trained"; }

verify::Report trained_report(const journal::Entry& entry, const Json& now) {
  const Json then = entry.report.value("after", Json::object());
  verify::Report report;
  for (const auto& [name, sense, sign] :
       {std::tuple("forget_prob", Sense::kAtMost, 1.0), {"retain_prob", Sense::kAtLeast, -1.0}}) {
    if (!then.contains(name) || !now.contains(name)) continue;
    GateResult gate;
    gate.name = name;
    gate.section = sense == Sense::kAtMost ? verify::Section::kForgotten : verify::Section::kKept;
    gate.sense = sense;
    const double was = then[name].get<double>();
    gate.bound = was + sign * (0.1 * was + 0.01);
    gate.value = now[name].get<double>();
    report.gates.push_back(std::move(gate));
  }
  return report;
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

std::string title(const journal::Entry& e) {
  if (e.kind == journal::Kind::kUndo) return fmt::format("undoes {}", e.undoes);
  if (e.kind == journal::Kind::kVerify) return "gates asked again";
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

Json to_json(const std::vector<repair::Recheck>& rechecks) {
  Json list = Json::array();
  for (const repair::Recheck& r : rechecks)
    list.push_back({{"entry", r.entry}, {"asked", r.asked}, {"forgotten", r.forgotten}});
  return list;
}

Json to_json(const repair::Outcome& o, verify::Detail detail) {
  return {{"verdict", repair::name(o.verdict)},
          {"entry", o.entry},
          {"active", o.active},
          {"before", verify::to_json(o.before, detail)},
          {"after", verify::to_json(o.after, detail)},
          {"earlier", to_json(o.earlier)},
          {"seconds", o.seconds},
          {"search", o.search},
          {"edit_norm", o.edit_norm}};
}

Json to_json(const repair::Undone& u) {
  return {{"undone", u.undone},
          {"entry", u.entry},
          {"weights_hash", u.weights_hash},
          {"is_base", u.is_base},
          {"others", to_json(u.others)},
          {"seconds", u.seconds}};
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

}  // namespace expunge::app
