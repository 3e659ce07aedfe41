#include "cli/figures.h"

#include <algorithm>
#include <map>

#include "cli/layout.h"

namespace expunge::cli {
namespace {

using Numbers = std::vector<std::pair<std::string, double>>;

Numbers numbers_of(const verify::Figures& figures) {
  Numbers numbers;
  for (const auto& [key, figure] : figures.values)
    if (figure) numbers.emplace_back(key, figure->number);
  for (const auto& [key, count] : figures.counts)
    numbers.emplace_back(key, static_cast<double>(count));
  return numbers;
}

// Significant digits, not decimals: p-values are small.
std::string number(const Numbers& numbers, const std::string& key) {
  const auto it = std::ranges::find(numbers, key, &Numbers::value_type::first);
  return it == numbers.end() ? "-" : fmt::format("{:.4g}", it->second);
}

void dim(Terminal& t, const std::string& text) {
  t.line("{}", t.paint(Tone::kDim, wrap(printable(text), kColumns, 2)));
}

}  // namespace

void print_figures(Terminal& t, std::span<const service::EvaluatedRun> runs) {
  std::vector<Numbers> columns;
  std::vector<std::string> keys;
  for (const service::EvaluatedRun& run : runs)
    for (const auto& [key, value] : columns.emplace_back(numbers_of(run.evaluation.figures)))
      if (std::ranges::find(keys, key) == keys.end()) keys.push_back(key);
  constexpr size_t kName = 32, kWidth = 14;
  std::string head = pad("", kName);
  for (const service::EvaluatedRun& run : runs)
    head += pad_left(fit(run.label, kWidth - 1), kWidth);
  t.line("{}", t.paint(Tone::kBold, head));
  for (const std::string& key : keys) {
    std::string line = pad(key, kName);
    for (const Numbers& numbers : columns) line += pad_left(number(numbers, key), kWidth);
    t.line("{}", line);
  }
  const verify::Evaluation& last = runs.back().evaluation;
  if (const auto& skipped = last.skipped; !skipped.empty())
    dim(t,
        fmt::format("skipped: {} {}; {} {}", skipped.size(), skipped.size() == 1 ? "item" : "items",
                    skipped.size() == 1 ? "it is" : "the first is", describe(skipped[0])));
  for (const auto& [key, figure] : last.figures.values)
    if (figure && !figure->left_out.empty())
      dim(t, fmt::format("{} leaves out {}", key, figure->left_out));
  // One line a reason: most keys lack the same thing.
  std::map<std::string, size_t> reasons;
  for (const auto& [key, figure] : last.figures.values)
    if (!figure) ++reasons[verify::reason(figure.error())];
  for (const auto& [reason, n] : reasons)
    dim(t, fmt::format("absent: {} {}; {}", n, n == 1 ? "figure" : "figures", reason));
}

}  // namespace expunge::cli
