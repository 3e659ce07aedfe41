// expunge metrics, expunge suites: what can be measured, by whose definition, and what it needs.
#include "cli/command.h"
#include "cli/layout.h"
#include "verify/metric.h"
#include "verify/suite.h"

namespace expunge::cli {
namespace {

base::Result<Answer> metrics(Context& context) {
  Terminal& t = context.terminal;
  const base::Json all = verify::definitions();
  for (const base::Json& m : all) {
    t.line("{}", t.paint(Tone::kBold, m["name"].get<std::string>()));
    t.line("  {}", wrap(m["what"].get<std::string>(), kColumns - 2, 2));
    t.line("  {}", t.paint(Tone::kDim, wrap(m["citation"].get<std::string>(), kColumns - 2, 2)));
    for (const base::Json& k : m["keys"]) {
      std::vector<std::string> needs;
      for (const char* list : {"sets", "needs"})
        for (const base::Json& need : k[list]) needs.push_back(need.get<std::string>());
      t.line("  {}{}", pad(k["key"].get<std::string>(), 30),
             wrap(fmt::format("{}", fmt::join(needs, ", ")), kColumns - 32, 32));
    }
  }
  return Answer{base::Json{{"metrics", all}}};
}

base::Result<Answer> list_suites(Context& context) {
  Answer answer;
  answer.json = {{"suites", base::Json::array()}};
  for (const verify::Suite* suite : verify::suites()) {
    const verify::Suite& s = *suite;
    Terminal& t = context.terminal;
    t.line("{}", t.paint(Tone::kBold, s.name));
    t.line("  {}", wrap(s.what, kColumns - 2, 2));
    t.line("  {}", wrap(fmt::format("needs {}", s.needs), kColumns - 2, 2));
    std::vector<std::string> options;
    for (const verify::SuiteOption& o : s.options) options.push_back(fmt::format("--{}", o.name));
    t.line("  {}", wrap(fmt::format("takes {}", fmt::join(options, " ")), kColumns - 2, 2));
    t.line("  {}", t.paint(Tone::kDim, wrap(std::string(s.source), kColumns - 2, 2)));
    answer.json["suites"].push_back({{"name", s.name},
                                     {"what", s.what},
                                     {"needs", s.needs},
                                     {"source", s.source},
                                     {"options", options}});
  }
  return answer;
}

}  // namespace

extern const Command command_metrics, command_suites;
const Command command_metrics{
    "metrics", "what eval can measure, with sources", "",
    [](Arguments&) -> Action { return [](Context& context) { return metrics(context); }; },
    kNoCommon};
const Command command_suites{
    "suites", "data sets and what eval does with them", "",
    [](Arguments&) -> Action { return [](Context& context) { return list_suites(context); }; },
    kNoCommon};

}  // namespace expunge::cli
