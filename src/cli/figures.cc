#include "cli/figures.h"

#include <algorithm>
#include <map>

#include "cli/layout.h"

namespace expunge::cli {

using base::Json;

namespace {

// Significant digits, not decimals: p-values are small.
std::string figure(const Json& summary, const std::string& key) {
  const auto it = summary.find(key);
  return it == summary.end() || !it->is_number() ? "-" : fmt::format("{:.4g}", it->get<double>());
}

}  // namespace

void print_figures(Terminal& t, std::span<const publish::ReportRun> runs) {
  std::vector<std::string> keys;
  for (const publish::ReportRun& run : runs)
    for (const auto& [key, value] : run.evaluation["summary"].items())
      if (std::ranges::find(keys, key) == keys.end()) keys.push_back(key);
  constexpr size_t kName = 32, kWidth = 14;
  std::string head = pad("", kName);
  for (const publish::ReportRun& run : runs) head += pad_left(fit(run.label, kWidth - 1), kWidth);
  t.line("{}", t.paint(Tone::kBold, head));
  for (const std::string& key : keys) {
    std::string line = pad(key, kName);
    for (const publish::ReportRun& run : runs)
      line += pad_left(figure(run.evaluation["summary"], key), kWidth);
    t.line("{}", line);
  }
  // One line a reason: most keys lack the same thing.
  std::map<std::string, size_t> reasons;
  for (const auto& [key, reason] : runs.back().evaluation["absent"].items())
    ++reasons[reason.get<std::string>()];
  for (const auto& [reason, n] : reasons)
    t.line("{}", t.paint(Tone::kDim, wrap(fmt::format("absent: {} {}; {}", n,
                                                      n == 1 ? "figure" : "figures", reason),
                                          kColumns, 2)));
}

}  // namespace expunge::cli
