#include "verify/suite.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "base/hash.h"
#include "tables/suites.inc"  // made by the build from suites/*.cc

namespace expunge::verify {

using base::Code;
using base::Json;
using base::Result;

std::string SuiteValues::text(std::string_view name, std::string_view fallback) const {
  const auto found = given_.find(std::string(name));
  return found == given_.end() ? std::string(fallback) : found->second;
}

std::vector<std::string> SuiteValues::list(std::string_view name) const {
  std::vector<std::string> parts;
  const std::string all = text(name);
  for (size_t begin = 0; begin < all.size();) {
    const size_t end = std::min(all.find(',', begin), all.size());
    parts.push_back(all.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

Result<int64_t> SuiteValues::number(std::string_view name, int64_t fallback, int64_t least,
                                    int64_t most) const {
  if (!has(name)) return fallback;
  const std::string given = text(name);
  int64_t value = 0;
  const auto [end, error] = std::from_chars(given.data(), given.data() + given.size(), value);
  if (error == std::errc() && end == given.data() + given.size() && value >= least && value <= most)
    return value;
  return base::fail(Code::kUsage, fmt::format("--{} is '{}', expected a whole number from {}", name,
                                              given, least));
}

Result<size_t> SuiteValues::limit() const {
  return static_cast<size_t>(TRY(number("limit", 0, 0, std::numeric_limits<int64_t>::max())));
}

std::string hash_of(const Json& content) {
  return base::sha256_hex(base::dump_json(content)).substr(0, 16);
}

std::vector<const Suite*> suites() { return {std::begin(kSuites), std::end(kSuites)}; }

Result<const Suite*> find_suite(std::string_view name) {
  for (const Suite* suite : kSuites)
    if (suite->name == name) return suite;
  return base::fail(Code::kUsage, fmt::format("no suite '{}'", name), "expunge suites lists them");
}

Result<Work> prepare(const Suite& suite, const SuiteValues& values) {
  const auto takes = [](const Suite& s, std::string_view option) {
    return std::ranges::find(s.options, option, &SuiteOption::name) != s.options.end();
  };
  for (const auto& [option, value] : values.given()) {
    if (takes(suite, option)) continue;
    std::vector<std::string_view> others;
    for (const Suite* other : kSuites)
      if (takes(*other, option)) others.push_back(other->name);
    return base::fail(
        Code::kUsage, fmt::format("suite {} does not take --{}", suite.name, option),
        others.empty() ? "" : fmt::format("it belongs to {}", fmt::join(others, ", ")));
  }
  Work work = TRY(suite.prepare(values));
  work.suite = suite.name;
  return work;
}

Shard shard_of(const tensor::ProcessGroup* group) {
  if (!group) return {};
  return {static_cast<size_t>(group->rank()), static_cast<size_t>(group->size())};
}

Result<Json> joined(tensor::ProcessGroup& group, const Json& own) {
  Json all = Json::object();
  for (const std::string& text : TRY(group.gather(base::dump_json(own))))
    all.update(TRY(base::parse_json(text, "records of the group")), true);
  return all;
}

}  // namespace expunge::verify
