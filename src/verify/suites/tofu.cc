// tofu: what was forgotten and what is kept, by questions on fictitious authors (verify/tofu.h).
#include "verify/tofu.h"

#include <algorithm>

#include "text/qa_set.h"

namespace expunge::verify {
namespace {

using base::Code;

bool takes_set(const SuiteValues& v, std::string_view set) {
  const auto sets = v.list("sets");
  return sets.empty() || std::ranges::find(sets, set) != sets.end();
}

// Whether a set is looked for in the folder: not where all that are taken are files' paths.
bool uses_folder(const SuiteValues& v) {
  const auto sets = v.list("sets");  // all: real_authors and world_facts, which have no option, too
  return sets.empty() || std::ranges::any_of(sets, [&](const std::string& set) {
           return !text::is_qa_path(v.text(set));
         });
}

// An option that has no effect with others is refused, not ignored.
struct Ignored {
  std::string_view option;
  bool (*where)(const SuiteValues& v);
  std::string_view why;
};
constexpr Ignored kIgnored[] = {
    {"data", [](const SuiteValues& v) { return !uses_folder(v); },
     "all sets are given by their paths"},
    {"forget", [](const SuiteValues& v) { return !takes_set(v, "forget"); },
     "--sets leaves the forget set out"},
    {"retain", [](const SuiteValues& v) { return !takes_set(v, "retain"); },
     "--sets leaves the retain set out"},
    {"holdout", [](const SuiteValues& v) { return !takes_set(v, "holdout"); },
     "--sets leaves the holdout set out"},
    {"max-tokens", [](const SuiteValues& v) { return v.has("no-generation"); },
     "--no-generation generates nothing"},
    {"retain-model", [](const SuiteValues& v) { return v.has("retain-logs"); },
     "--retain-logs gives that model's records"},
    {"retain-model",
     [](const SuiteValues& v) { return !takes_set(v, "forget") && !takes_set(v, "holdout"); },
     "only the forget and holdout sets are compared with it"},
    {"retain-logs",
     [](const SuiteValues& v) { return !takes_set(v, "forget") && !takes_set(v, "holdout"); },
     "only the forget and holdout sets are compared with them"},
    {"force", [](const SuiteValues& v) { return !v.has("retain-logs"); },
     "there are no --retain-logs to compare with"},
};

base::Result<Work> prepare_tofu(const SuiteValues& v) {
  for (const auto& [option, where, why] : kIgnored)
    if (v.has(option) && where(v))
      return base::fail(Code::kUsage, fmt::format("--{} has no effect: {}", option, why),
                        fmt::format("leave out --{}", option));
  TofuOptions o;
  o.data = v.data();
  o.forget = v.text("forget", o.forget);
  o.retain = v.text("retain", o.retain);
  o.holdout = v.text("holdout");
  o.sets = v.list("sets");
  o.metrics = v.list("metrics");
  o.limit = TRY(v.limit());
  o.retain_logs = v.text("retain-logs");
  o.retain_model = v.text("retain-model");
  if (!v.folder().empty()) o.retain_file = v.folder() + "/retain.json";
  if (v.has("force")) o.compare = Compare::kAnyQuestions;
  o.system = v.text("system");
  const std::string parity = v.text("parity", "none");
  if (parity != "none" && parity != "open-unlearning")
    return base::fail(Code::kUsage, fmt::format("no parity with '{}'", parity),
                      "none or open-unlearning");
  if (parity == "open-unlearning") o.parity = Parity::kOpenUnlearning;
  o.max_new_tokens = TRY(v.number("max-tokens", o.max_new_tokens, 1, 100000));
  o.generate = !v.has("no-generation");
  return tofu_work(o);
}

}  // namespace

extern const Suite suite_tofu;
const Suite suite_tofu{"tofu",
                       "fictitious authors: what was forgotten, what is kept, model utility",
                       "--data: the folder of TOFU's JSON files",
                       "Maini et al. 2024, arXiv 2401.06121",
                       {kData,
                        kLimit,
                        {"forget", "F", "split or file to be forgotten (forget10)"},
                        {"retain", "R", "split or file to be kept (retain)"},
                        {"holdout", "FILE", "file that no model saw, for PrivLeak and attacks"},
                        {"sets", "A,B", "forget,retain,real_authors,world_facts,holdout (all)"},
                        {"retain-model", "MODEL", "a model that never saw the forget set"},
                        {"retain-logs", "LOG", "records of such a model, or another program's log"},
                        {"force", "", "compare with --retain-logs of other questions all the same"},
                        {"metrics", "A,B", "only these; see expunge metrics"},
                        {"system", "TEXT", "a system message before every question"},
                        {"max-tokens", "N", "of a generated answer (200)"},
                        {"no-generation", "", "score only: no ROUGE"},
                        {"parity", "NAME", "open-unlearning: that project's numbers (none)"}},
                       prepare_tofu};

}  // namespace expunge::verify
