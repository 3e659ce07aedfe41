#include "repair/search.h"

#include <gmock/gmock.h>

namespace expunge::repair {
namespace {

using verify::Report;

struct Figures {
  double exact = 1, paraphrases = 1, probing = 1, neighbours = 1, same_subject = 1, unrelated = 1;
};

Report report(const Figures& f) {
  Report r;
  const auto add = [&](const char* name, double value) {
    const verify::Gate* gate = verify::find_gate(name);
    r.gates.push_back({.name = name,
                       .section = gate->section,
                       .sense = gate->sense,
                       .value = value,
                       .bound = gate->bound});
  };
  add("exact", f.exact), add("paraphrases", f.paraphrases), add("probing", f.probing);
  add("neighbours", f.neighbours), add("same_subject", f.same_subject);
  add("unrelated", f.unrelated);
  return r;
}

TEST(Better, FewerFailedGatesComeFirst) {
  EXPECT_TRUE(better(report({.paraphrases = .67}), report({.neighbours = .74})));
  EXPECT_TRUE(better(report({.neighbours = .5}), report({.exact = 0, .neighbours = .75})));
}

TEST(Better, ThenWhatIsMissing) {
  EXPECT_TRUE(better(report({.neighbours = .7}), report({.neighbours = .5})));
  EXPECT_FALSE(better(report({.neighbours = .5}), report({.neighbours = .7})));
}

TEST(Better, ThenWhatIsForgottenAndKept) {
  EXPECT_TRUE(better(report({}), report({.paraphrases = .75})));
  EXPECT_TRUE(better(report({.same_subject = .9}), report({.same_subject = .7})));
  EXPECT_FALSE(better(report({}), report({})));
}

// A model that refuses everything forgets perfectly and is never preferred to one that passes.
TEST(Better, ARefuserLosesAgainstAnyPass) {
  const Report refuser = report({.neighbours = 0, .same_subject = 0, .unrelated = 0});
  EXPECT_FALSE(refuser.passed());
  EXPECT_TRUE(better(report({.paraphrases = .66,
                             .probing = .5,
                             .neighbours = .75,
                             .same_subject = .66,
                             .unrelated = .83}),
                     refuser));
}

}  // namespace
}  // namespace expunge::repair
