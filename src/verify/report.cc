#include "verify/report.h"

#include <algorithm>

#include "base/error.h"
#include "verify/gate.h"

namespace expunge::verify {

double GateResult::margin() const {
  if (!absent.empty()) return 0;
  return sense == Sense::kAtLeast ? value - bound : bound - value;
}

std::string_view name(Section section) {
  return section == Section::kForgotten ? "forgotten"
         : section == Section::kKept    ? "kept"
                                        : "language";
}

std::string Report::undecided() const {
  size_t forgotten = 0, kept = 0, kept_figures = 0;
  for (const GateResult& g : gates) {
    forgotten += g.section == Section::kForgotten && g.absent.empty();
    kept += g.section == Section::kKept;
    kept_figures += g.section == Section::kKept && g.absent.empty();
  }
  if (forgotten == 0) return "no gate asked for what is to be forgotten";
  if (kept > 0 && kept_figures == 0) return "no gate asked for what is to be kept";
  return {};
}

size_t Report::n_failed() const {
  return static_cast<size_t>(
      std::ranges::count_if(gates, [](const GateResult& g) { return !g.passed(); }));
}

const GateResult* Report::find(std::string_view name) const {
  const auto found = std::ranges::find(gates, name, &GateResult::name);
  return found == gates.end() ? nullptr : &*found;
}

Report merged(std::vector<Report> reports) {
  CHECK(!reports.empty());
  Report all = std::move(reports[0]);
  for (size_t r = 1; r < reports.size(); ++r)
    for (size_t g = 0; g < all.gates.size(); ++g) {
      GateResult &to = all.gates[g], &from = reports[r].gates[g];
      if (!from.absent.empty()) continue;
      if (!to.absent.empty()) {
        to = std::move(from);
        continue;
      }
      if (to.sense == Sense::kAtMost) to.value = std::max(to.value, from.value);
      to.items.insert(to.items.end(), from.items.begin(), from.items.end());
      if (to.sense == Sense::kAtLeast && !to.items.empty())
        to.value = static_cast<double>(std::ranges::count_if(to.items, &Item::good)) /
                   static_cast<double>(to.items.size());
    }
  return all;
}

base::Json to_json(const Report& report, Detail detail) {
  base::Json gates = base::Json::array();
  for (const GateResult& g : report.gates) {
    base::Json gate = {{"name", g.name}};
    if (g.absent.empty()) {
      gate.update({{"value", g.value},
                   {"bound", g.bound},
                   {"sense", g.sense == Sense::kAtLeast ? "at_least" : "at_most"},
                   {"n", g.items.size()}});
    } else {
      gate["absent"] = g.absent;
    }
    gate["passed"] = g.passed();
    if (detail == Detail::kItems) {
      gate["items"] = base::Json::array();
      for (const Item& i : g.items)
        gate["items"].push_back(
            {{"prompt", i.prompt}, {"prefill", i.prefill}, {"reply", i.reply}, {"good", i.good}});
    }
    gates.push_back(std::move(gate));
  }
  return {{"passed", report.passed()}, {"gates", std::move(gates)}};
}

Report report_from_json(const base::Json& json) {
  Report report;
  if (!json.is_object() || !json.contains("gates") || !json["gates"].is_array()) return report;
  const auto number = [](const base::Json& j, const char* key) {
    return j.contains(key) && j[key].is_number() ? j[key].get<double>() : 0.0;
  };
  const auto text = [](const base::Json& j, const char* key) {
    return j.contains(key) && j[key].is_string() ? j[key].get<std::string>() : std::string();
  };
  for (const base::Json& j : json["gates"]) {
    if (!j.is_object()) continue;
    GateResult g;
    g.name = text(j, "name");
    if (const Gate* gate = find_gate(g.name)) g.section = gate->section;
    if (g.name == "retain_prob") g.section = Section::kKept;  // of a training
    g.sense = text(j, "sense") == "at_most" ? Sense::kAtMost : Sense::kAtLeast;
    g.value = number(j, "value");
    g.bound = number(j, "bound");
    g.absent = text(j, "absent");
    if (g.absent.empty() && !j.contains("value")) g.absent = "sealed";
    if (j.contains("items") && j["items"].is_array())
      for (const base::Json& i : j["items"])
        if (i.is_object())
          g.items.push_back(
              {text(i, "prompt"), text(i, "prefill"), text(i, "reply"),
               i.contains("good") && i["good"].is_boolean() && i["good"].get<bool>()});
    report.gates.push_back(std::move(g));
  }
  return report;
}

}  // namespace expunge::verify
