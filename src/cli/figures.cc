#include "cli/figures.h"

#include <algorithm>
#include <map>

#include "cli/layout.h"

namespace expunge::cli {
namespace {

using base::Json;

// Significant digits, not decimals: p-values are small.
std::string figure(const Json& summary, const std::string& key) {
  const auto it = summary.find(key);
  return it == summary.end() || !it->is_number() ? "-" : fmt::format("{:.4g}", it->get<double>());
}

void dim(Terminal& t, const std::string& text) {
  t.line("{}", t.paint(Tone::kDim, wrap(printable(text), kColumns, 2)));
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
  const Json& last = runs.back().evaluation;
  if (const Json& skipped = last["skipped"]; !skipped.empty()) {
    const Json& first = skipped[0];
    const std::string file = first["file"].get<std::string>();
    dim(t, fmt::format("skipped: {} {}; {} {} row {}{}: {}", skipped.size(),
                       skipped.size() == 1 ? "item" : "items",
                       skipped.size() == 1 ? "it is" : "the first is",
                       first["set"].get<std::string>(), first["row"].get<int64_t>(),
                       file.empty() ? "" : " of " + file, first["reason"].get<std::string>()));
  }
  for (const auto& [key, records] : last["left_out"].items())
    dim(t, fmt::format("{} leaves out {}", key, records.get<std::string>()));
  // One line a reason: most keys lack the same thing.
  std::map<std::string, size_t> reasons;
  for (const auto& [key, reason] : last["absent"].items()) ++reasons[reason.get<std::string>()];
  for (const auto& [reason, n] : reasons)
    dim(t, fmt::format("absent: {} {}; {}", n, n == 1 ? "figure" : "figures", reason));
}

}  // namespace expunge::cli
