#include "verify/figures.h"

namespace expunge::verify {

std::string reason(const base::Error& error) {
  std::string text = error.message;
  for (const std::string& where : error.trail) text = where + ": " + text;
  return text;
}

base::Json to_json(const Figures& figures) {
  base::Json summary = base::Json::object(), absent = summary, left_out = summary;
  for (const auto& [key, figure] : figures.values) {
    if (!figure) {
      absent[key] = reason(figure.error());
      continue;
    }
    summary[key] = figure->number;
    if (!figure->left_out.empty()) left_out[key] = figure->left_out;
  }
  for (const auto& [key, count] : figures.counts) summary[key] = count;
  return {{"summary", std::move(summary)},
          {"absent", std::move(absent)},
          {"left_out", std::move(left_out)}};
}

}  // namespace expunge::verify
