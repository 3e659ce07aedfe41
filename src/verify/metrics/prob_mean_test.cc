// prob_mean on records small enough for pencil and paper.
#include <gtest/gtest.h>

#include <cmath>

#include "verify/metric.h"

namespace expunge::verify {
namespace {

AnswerScore loss_of(double avg_loss) {
  AnswerScore s;
  s.avg_loss = avg_loss;
  return s;
}

QaRecord record(double answer, double paraphrased, std::vector<double> wrong) {
  QaRecord r;
  r.score = loss_of(answer);
  r.paraphrased = loss_of(paraphrased);
  for (const double w : wrong) r.perturbed.push_back(loss_of(w));
  return r;
}

TEST(ProbMean, IsTheShareOfTheCorrectAnswer) {
  MetricInput e;
  e.records["forget"] = {record(9, 1, {2, 4}), record(9, 2, {2, 2, 2})};
  // p_c = e^-1 against p_w = e^-3; then equal ones, however many.
  const double share = std::exp(-1.0) / (std::exp(-1.0) + std::exp(-3.0));
  EXPECT_DOUBLE_EQ(figure(e, "forget_prob_mean").value().number, (share + 0.5) / 2);
  // Real authors have no paraphrase: the answer itself.
  e.records["real_authors"] = {record(1, 0, {1})};
  e.records["real_authors"][0].paraphrased.reset();
  EXPECT_DOUBLE_EQ(figure(e, "ra_prob_mean").value().number, 0.5);
}

TEST(ProbMean, ACollapsedModelOverflowsNothing) {
  MetricInput e;
  e.records["forget"] = {record(1, 6000, {3000})};
  EXPECT_EQ(figure(e, "forget_prob_mean").value().number, 0);
  e.records["forget"] = {record(1, 3000, {6000})};
  EXPECT_EQ(figure(e, "forget_prob_mean").value().number, 1);
  e.records["forget"][0].perturbed.clear();
  EXPECT_EQ(figure(e, "forget_prob_mean").error().code, base::Code::kNotFound);
}

}  // namespace
}  // namespace expunge::verify
