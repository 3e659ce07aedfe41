#include "verify/report.h"

#include <algorithm>

namespace expunge::verify {

double Gate::margin() const {
  if (!absent.empty()) return 0;
  return sense == Sense::kAtLeast ? value - bound : bound - value;
}

bool Report::passed() const { return n_failed() == 0; }

size_t Report::n_failed() const {
  return static_cast<size_t>(
      std::ranges::count_if(gates, [](const Gate& g) { return !g.passed(); }));
}

const Gate* Report::find(std::string_view name) const {
  const auto found = std::ranges::find(gates, name, &Gate::name);
  return found == gates.end() ? nullptr : &*found;
}

base::Json to_json(const Report& report, Detail detail) {
  base::Json gates = base::Json::array();
  for (const Gate& g : report.gates) {
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

}  // namespace expunge::verify
