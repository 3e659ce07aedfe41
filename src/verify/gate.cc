#include "verify/gate.h"

#include <algorithm>

#include "tables/gates.inc"  // made by the build from gates/*.cc

namespace expunge::verify {

std::string_view name(Unit unit) {
  return unit == Unit::kShare ? "share" : unit == Unit::kRatio ? "ratio" : "nats a token";
}

const std::vector<const Gate*>& gates() {
  static const std::vector<const Gate*> kSorted = [] {
    std::vector<const Gate*> all(std::begin(kGates), std::end(kGates));
    std::ranges::sort(all, {}, [](const Gate* g) { return std::pair(g->section, g->name); });
    return all;
  }();
  return kSorted;
}

const Gate* find_gate(std::string_view name) {
  const auto found = std::ranges::find(gates(), name, &Gate::name);
  return found == gates().end() ? nullptr : *found;
}

base::Result<Bounds> complete_bounds(const Bounds& given) {
  Bounds bounds;
  for (const Gate* gate : gates()) bounds[std::string(gate->name)] = gate->bound;
  const auto refuse = [](std::string_view gate, std::string_view expected, std::string_view got) {
    return base::fail(base::Code::kInvalid,
                      fmt::format("plan /gates/{}: expected {}, got {}", gate, expected, got),
                      "see docs/plan.schema.json");
  };
  for (const auto& [name, bound] : given) {
    const Gate* gate = find_gate(name);
    if (!gate) {
      std::vector<std::string_view> known;
      for (const Gate* g : gates()) known.push_back(g->name);
      return refuse(name, fmt::format("the name of a gate ({})", fmt::join(known, ", ")),
                    "another");
    }
    if (!(bound >= gate->low && bound <= gate->high))
      return refuse(name, fmt::format("{} to {}", gate->low, gate->high), fmt::to_string(bound));
    bounds[name] = bound;
  }
  return bounds;
}

}  // namespace expunge::verify
