// The evidence: what each gate found, with its bound and its replies.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"

namespace expunge::verify {

enum class Section { kForgotten, kKept, kLanguage };
std::string_view name(Section section);

enum class Sense { kAtLeast, kAtMost };

struct Item {
  std::string prompt, prefill, reply;
  bool good = false;
};

struct GateResult {
  std::string name;
  Section section = Section::kForgotten;
  Sense sense = Sense::kAtLeast;
  double value = 0;  // a share of the items, unless the gate's unit is another
  double bound = 0;
  std::vector<Item> items = {};
  std::string absent = {};  // why there is no number; empty if there is one

  bool passed() const {
    return !absent.empty() || (sense == Sense::kAtLeast ? value >= bound : value <= bound);
  }
  double margin() const;  // by how much the bound is met, negative if it is not; 0 if absent
};

struct Report {
  std::vector<GateResult> gates;

  // Every bound is met, and enough was asked to conclude so.
  bool passed() const { return n_failed() == 0 && undecided().empty(); }
  size_t n_failed() const;
  // Why nothing can be concluded: no gate asked for what is forgotten, or none of those for what is
  // kept; empty if something can.
  std::string undecided() const;
  const GateResult* find(std::string_view name) const;
};

// Of several targets: equal gates join their items; of figures that are not shares, the worst.
// At least one report.
Report merged(std::vector<Report> reports);

// {"passed", "gates": [{name, value, bound, sense, n, passed, absent?, items?}]}
enum class Detail { kFigures, kItems };
base::Json to_json(const Report& report, Detail detail);

// Reads what to_json wrote, as far as it exists: a sealed entry has no words.
Report report_from_json(const base::Json& json);

}  // namespace expunge::verify
