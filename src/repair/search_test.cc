#include "repair/search.h"

#include <gmock/gmock.h>

namespace expunge::repair {
namespace {

using verify::Gate;
using verify::Report;
using verify::Sense;

struct Figures {
  double exact = 1, paraphrases = 1, probing = 1, neighbours = 1, same_subject = 1, unrelated = 1;
};

Report report(const Figures& f) {
  Report r;
  const auto add = [&](const char* name, double value, double bound) {
    r.gates.push_back({name, Sense::kAtLeast, value, bound, {}, {}});
  };
  add("exact", f.exact, 1), add("paraphrases", f.paraphrases, .66), add("probing", f.probing, .5);
  add("neighbours", f.neighbours, .75), add("same_subject", f.same_subject, .66);
  add("unrelated", f.unrelated, .83);
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
