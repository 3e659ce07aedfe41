// The contents of a sweep's file.
#include <algorithm>
#include <cmath>
#include <map>

#include "base/files.h"
#include "base/toml.h"
#include "service/sweep.h"

namespace expunge::service {
namespace {

using base::Code;
using base::fail;
using base::Result;
using base::Status;
using base::TomlScalar;
using base::TomlTable;
using base::TomlValue;
using Type = TomlScalar::Type;

constexpr const char* kSettings =
    "model, gold, data, forget, retain, system, out, seeds, limit, eval_limit, max_new_tokens, "
    "min_utility; knobs stand under [method]";

tl::unexpected<base::Error> wrong(const TomlValue& v, std::string_view expected) {
  const std::string got = v.values.empty() ? "an empty list"
                          : v.is_list      ? fmt::format("a list of {}", v.values.size())
                                           : fmt::format("'{}'", v.values[0].text);
  return fail(Code::kUsage,
              fmt::format("line {}: {} is {}, expected {}", v.line, v.key, got, expected));
}

Result<std::string> text(const TomlValue& v) {
  if (v.is_list || v.values[0].type != Type::kText) return wrong(v, "a text in quotes");
  return v.values[0].text;
}

Result<double> number(const TomlValue& v, double low, double high) {
  if (v.is_list || v.values[0].type != Type::kNumber || v.values[0].number < low ||
      v.values[0].number > high)
    return wrong(v, fmt::format("a number from {:g} to {:g}", low, high));
  return v.values[0].number;
}

bool is_whole(const TomlScalar& s, double low) {
  constexpr double kMost = 1e15;  // exact in a double
  return s.type == Type::kNumber && s.number >= low && s.number <= kMost &&
         s.number == std::floor(s.number);
}

Result<int64_t> whole(const TomlValue& v, int64_t low) {
  if (v.is_list || !is_whole(v.values[0], static_cast<double>(low)))
    return wrong(v, fmt::format("a whole number from {}", low));
  return static_cast<int64_t>(v.values[0].number);
}

Result<std::vector<uint64_t>> seeds_of(const TomlValue& v) {
  std::vector<uint64_t> seeds;
  for (const TomlScalar& s : v.values) {
    if (!is_whole(s, 0)) return wrong(v, "whole numbers from 0");
    seeds.push_back(static_cast<uint64_t>(s.number));
  }
  if (seeds.empty()) return wrong(v, "at least one");
  return seeds;
}

Status set(Sweep& sweep, std::vector<uint64_t>& seeds, const TomlValue& v) {
  const std::map<std::string_view, std::string*> texts = {
      {"model", &sweep.model},   {"gold", &sweep.gold}, {"data", &sweep.data},
      {"forget", &sweep.forget}, {"out", &sweep.out},   {"retain", &sweep.retain},
      {"system", &sweep.system}};
  if (const auto it = texts.find(v.key); it != texts.end())
    *it->second = TRY(text(v));
  else if (v.key == "seeds")
    seeds = TRY(seeds_of(v));
  else if (v.key == "limit")
    sweep.limit = static_cast<size_t>(TRY(whole(v, 0)));
  else if (v.key == "eval_limit")
    sweep.eval_limit = static_cast<size_t>(TRY(whole(v, 0)));
  else if (v.key == "max_new_tokens")
    sweep.max_new_tokens = TRY(whole(v, 1));
  else if (v.key == "min_utility")
    sweep.min_utility = TRY(number(v, 0, 1));
  else
    return fail(Code::kUsage, fmt::format("line {}: a sweep has no setting '{}'", v.line, v.key),
                kSettings);
  return {};
}

constexpr size_t kMostRuns = 10'000;

// Every combination of a table's values, for every seed.
Status add_runs(Sweep& sweep, const TomlTable& table, const std::vector<uint64_t>& seeds) {
  // [npo.long] is another table of npo.
  const unlearn::Method* method =
      TRY(unlearn::find_method(table.name.substr(0, table.name.find('.'))));
  std::vector<SweepRun> grid{{table.name, method}};
  for (const TomlValue& v : table.values) {
    if (v.values.empty()) return wrong(v, "at least one value");
    std::vector<SweepRun> next;
    if (grid.size() * v.values.size() * seeds.size() > kMostRuns)
      return fail(Code::kUsage, fmt::format("more than {} runs", kMostRuns),
                  "a list is one run for each of its values, for every other list");
    for (const SweepRun& run : grid)
      for (const TomlScalar& value : v.values) {
        SweepRun more = run;
        more.knobs[v.key] = TRY(unlearn::knob_value(*method, v.key, value.text));
        if (v.values.size() > 1) more.label += fmt::format(" {}={}", v.key, value.text);
        next.push_back(std::move(more));
      }
    grid = std::move(next);
  }
  for (const SweepRun& run : grid)
    for (const uint64_t seed : seeds) {
      SweepRun one = run;
      one.knobs = TRY(unlearn::complete(*method, run.knobs));
      one.seed = seed;
      if (seeds.size() > 1) one.label += fmt::format(" seed={}", seed);
      sweep.runs.push_back(std::move(one));
    }
  return {};
}

}  // namespace

Result<Sweep> read_sweep(const std::string& path) {
  const auto content = base::read_file(path);
  if (!content) {
    base::Error error = content.error();
    error.hint = "expunge sweep --help shows what a sweep's file holds";
    return tl::unexpected(std::move(error));
  }
  const std::vector<TomlTable> tables = TRY(base::parse_toml(*content, path));
  Sweep sweep;
  std::vector<uint64_t> seeds{1};
  for (const TomlValue& value : tables[0].values) TRY_AT(path, set(sweep, seeds, value));
  for (const auto& [key, value] : {std::pair("model", sweep.model), std::pair("out", sweep.out),
                                   std::pair("forget", sweep.forget)})
    if (value.empty())
      return fail(Code::kUsage, fmt::format("{} does not say '{}'", path, key), kSettings);
  sweep.runs.push_back({"target"});
  if (!sweep.gold.empty()) sweep.runs.push_back({"gold"});
  for (size_t i = 1; i < tables.size(); ++i)
    TRY_AT(fmt::format("{}, [{}]", path, tables[i].name), add_runs(sweep, tables[i], seeds));
  return sweep;
}

}  // namespace expunge::service
