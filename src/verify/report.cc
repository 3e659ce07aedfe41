#include "verify/report.h"

#include <algorithm>
#include <iterator>
#include <type_traits>

#include "base/error.h"
#include "verify/gate.h"

namespace expunge::verify {
namespace {

// Of an object from a file: the value under the key if it is of this type, else what T begins as.
template <class T>
T value_of(const base::Json& json, const char* key) {
  const base::Json* value = json.contains(key) ? &json[key] : nullptr;
  const bool fits = value && (std::is_same_v<T, bool>     ? value->is_boolean()
                              : std::is_same_v<T, double> ? value->is_number()
                                                          : value->is_string());
  return fits ? value->get<T>() : T();
}

// The objects of the list under the key; none if there is no such list.
std::vector<base::Json> objects_of(const base::Json& json, const char* key) {
  std::vector<base::Json> objects;
  if (json.is_object() && json.contains(key) && json[key].is_array())
    std::ranges::copy_if(json[key], std::back_inserter(objects),
                         [](const base::Json& j) { return j.is_object(); });
  return objects;
}

GateResult gate_from_json(const base::Json& json) {
  GateResult g;
  g.name = value_of<std::string>(json, "name");
  if (const Gate* gate = find_gate(g.name)) g.section = gate->section;
  if (g.name == "retain_prob") g.section = Section::kKept;  // of a training
  const bool at_most = value_of<std::string>(json, "sense") == "at_most";
  g.sense = at_most ? Sense::kAtMost : Sense::kAtLeast;
  g.value = value_of<double>(json, "value");
  g.bound = value_of<double>(json, "bound");
  g.absent = value_of<std::string>(json, "absent");
  if (g.absent.empty() && !json.contains("value")) g.absent = "sealed";
  for (const base::Json& i : objects_of(json, "items"))
    g.items.push_back({value_of<std::string>(i, "prompt"), value_of<std::string>(i, "prefill"),
                       value_of<std::string>(i, "reply"), value_of<bool>(i, "good")});
  return g;
}

}  // namespace

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
  for (const base::Json& gate : objects_of(json, "gates"))
    report.gates.push_back(gate_from_json(gate));
  return report;
}

}  // namespace expunge::verify
