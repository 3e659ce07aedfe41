// A method's settings: named numbers within ranges.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace expunge::unlearn {

struct Knob {
  std::string_view name;
  double fallback, low, high;
  std::string_view help;  // one line, with the unit
  // Names of the values low, low + 1, …, high; only these are accepted then.
  std::vector<std::string_view> choices = {};
};
using Knobs = std::map<std::string, double, std::less<>>;

}  // namespace expunge::unlearn
