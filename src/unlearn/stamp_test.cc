// What stamp promises beyond the contract of all methods.
#include <gmock/gmock.h>

#include "unlearn/method_test.h"

namespace expunge::unlearn {
namespace {

using ::testing::HasSubstr;
using tests::question;
using tests::subject_first;

class Stamp : public ::testing::Test {
 protected:
  Problem problem() const { return problem_on(*model_, *find_method("stamp").value()); }
  base::Result<edit::Edit> run(const Knobs& knobs) const {
    return propose(*find_method("stamp").value(), problem(), knobs);
  }
  std::shared_ptr<const model::Model> model_ = tests::planted_model();
};

TEST_F(Stamp, NamesItsForms) {
  const Method& stamp = *find_method("stamp").value();
  EXPECT_EQ(knob_value(stamp, "form", "delta").value(), 0);
  EXPECT_EQ(knob_value(stamp, "form", "replace").value(), 1);
  EXPECT_EQ(knob_value(stamp, "form", "metric").value(), 2);
}

// At ridge 0 the forget rows' outputs move by α v exactly, the retain rows' not at all.
TEST_F(Stamp, SteersForgetRowsAndHoldsRetainRows) {
  const Problem p = problem();
  for (const double form : {0.0, 2.0}) {
    // More rows than inputs could not all be answered: a few retain rows.
    Problem few = p;
    few.retain.resize(20);
    const auto edit = propose(*find_method("stamp").value(), few,
                              {{"form", form}, {"layer", 1}, {"ridge", 1e-9}, {"strength", 2}});
    ASSERT_TRUE(edit) << edit.error().message;
    EXPECT_LT(edit->provenance["residual"].get<double>(), 1e-3);
    const auto outputs = [](const model::Model& model, const std::vector<TokenSpan>& rows) {
      return capture(model, rows, model::Point::kMlpOutput, 1).value();
    };
    const Tensor forget = outputs(*model_, few.forget), retain = outputs(*model_, few.retain);
    const Tensor v = outputs(*model_, few.refusal).mean(0) - forget.mean(0);
    const model::Model edited = edit::apply(*model_, *edit).value();
    EXPECT_LT((outputs(edited, few.forget) - forget - v * 2).norm().item<double>(),
              0.01 * forget.norm().item<double>());
    EXPECT_LT((outputs(edited, few.retain) - retain).norm().item<double>(),
              0.01 * retain.norm().item<double>());
  }
}

TEST_F(Stamp, FindsTheLayerByThePapersRule) {
  const Problem p = problem();
  const auto edit = run({}).value();
  const auto mean = [&](const std::vector<TokenSpan>& rows, int64_t layer) {
    return capture(*model_, rows, model::Point::kMlpOutput, layer).value().mean(0);
  };
  std::vector<double> distances;
  for (int64_t layer = 1; layer < 3; ++layer) {
    const Tensor a = mean(p.forget, layer), b = mean(p.refusal, layer);
    distances.push_back(1 - a.dot(b).item<double>() /
                                (a.norm().item<double>() * b.norm().item<double>()));
  }
  const auto best = std::ranges::max_element(distances);
  EXPECT_EQ(edit.provenance["layer"], 1 + (best - distances.begin()));
  EXPECT_NEAR(edit.provenance["layer_distance"].get<double>(), *best, 1e-5);
  EXPECT_EQ(run({{"layer", 2}})->deltas[0].tensor, tests::layer_weight(2, "mlp.down_proj"));
  for (const double bad : {0.0, 3.0, 1.5}) {
    const auto refused = run({{"layer", bad}});
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message, HasSubstr("layer"));
  }
}

TEST_F(Stamp, FormsAndRanks) {
  const auto low = run({{"layer", 1}, {"rank", 8}}).value();
  EXPECT_LE(std::get<edit::LowRank>(low.deltas[0].change).u.size(1), 8);
  const auto full = run({{"layer", 1}}).value();
  // One steering vector for all forget rows: the change has rank one.
  EXPECT_EQ(std::get<edit::LowRank>(full.deltas[0].change).u.size(1), 1);
  EXPECT_EQ(full.provenance["rows"]["forget"], 2);
  EXPECT_GT(full.provenance["condition"].get<double>(), 1);
  for (const double rank : {0.0, 16.0}) {
    const auto replaced = run({{"layer", 1}, {"form", 1}, {"rank", rank}}).value();
    EXPECT_TRUE(std::holds_alternative<edit::Dense>(replaced.deltas[0].change));
    // The published form loses what the rows do not span.
    EXPECT_GT(edit::relative_norm(*model_, replaced), edit::relative_norm(*model_, full));
  }
  const auto both = run({{"form", 2}, {"rank", 4}});
  ASSERT_FALSE(both);
  EXPECT_THAT(both.error().message, HasSubstr("rank"));
}

TEST_F(Stamp, TokensAreChosenByTheKnob) {
  const auto all = run({{"layer", 1}, {"rows", 2}}).value();
  // 6 + 5 tokens of the two wordings, less the one that all prompts begin with.
  EXPECT_EQ(all.provenance["rows"]["forget"], 5 + 4);
  Problem subject = problem();
  subject.forget = {{question(kRelation, kSubject), 4}, {subject_first(kRelation, kSubject), 1}};
  const Method& stamp = *find_method("stamp").value();
  const auto blob = [&](const Problem& p, double rows) {
    return dense(propose(stamp, p, {{"layer", 1}, {"rows", rows}})->deltas[0]);
  };
  EXPECT_FALSE(at::equal(blob(subject, 0), blob(problem(), 0)));
  EXPECT_TRUE(at::equal(blob(subject, 1), blob(problem(), 0)));
}

// With `directions`, strength 1 puts the outputs on the refusal outputs' principal plane.
TEST_F(Stamp, RefusalSubspace) {
  Problem p = problem();
  p.retain.resize(10);
  const auto edit = propose(*find_method("stamp").value(), p,
                            {{"layer", 1}, {"directions", 3}, {"strength", 1}, {"ridge", 1e-9}})
                        .value();
  const auto outputs = [](const model::Model& model, const std::vector<TokenSpan>& rows) {
    return capture(model, rows, model::Point::kMlpOutput, 1).value();
  };
  const Tensor refusal = outputs(*model_, p.refusal), mean = refusal.mean(0);
  const Tensor basis =
      std::get<2>(at::linalg_svd(refusal - mean, /*full_matrices=*/false)).narrow(0, 0, 3);
  const auto off_plane = [&](const model::Model& model) {
    const Tensor offset = outputs(model, p.forget) - mean;
    return (offset - offset.mm(basis.t()).mm(basis)).norm().item<double>();
  };
  EXPECT_LT(off_plane(edit::apply(*model_, edit).value()), 0.01 * off_plane(*model_));
}

}  // namespace
}  // namespace expunge::unlearn
