// Against scipy, and against whole-number counts of lattice paths where scipy underflows.
#include "verify/statistics.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "golden.h"

namespace expunge::verify {
namespace {

using ::testing::HasSubstr;

std::vector<double> sample(const base::Json& j) {
  if (j.is_array()) return j.get<std::vector<double>>();
  std::vector<double> v(j.at("n").get<size_t>());
  std::iota(v.begin(), v.end(), j.at("from").get<double>());
  return v;
}

TEST(KsTest, EqualsTheExactTest) {
  const tests::Golden golden("verify_statistics");
  double least = 0;
  for (const base::Json& c : golden.value("ks")) {
    const auto a = sample(c.at("a")), b = sample(c.at("b"));
    SCOPED_TRACE(fmt::format("{} {} {}", a.size(), b.size(), c.at("log10_p").get<double>()));
    const Ks ks = ks_two_sample(a, b).value(), turned = ks_two_sample(b, a).value();
    EXPECT_EQ(ks.statistic, c.at("statistic").get<double>());
    const double p = c.at("p_value").get<double>(), log10_p = c.at("log10_p").get<double>();
    // A logarithm of -1000 has a relative error of 1e-13, and so has its exponential.
    EXPECT_NEAR(ks.log10_p, log10_p, 2e-14 + 1e-14 * std::abs(log10_p));
    EXPECT_NEAR(ks.p_value, p, 1e-11 * p);
    EXPECT_EQ(turned.statistic, ks.statistic);
    EXPECT_NEAR(turned.log10_p, ks.log10_p, 1e-11);
    least = std::min(least, log10_p);
  }
  EXPECT_LT(least, -400);
}

TEST(KsTest, DisjointSamples) {
  // 2 / binomial(n + m, n): both orders of the samples.
  const auto disjoint = [](size_t n, size_t m) {
    std::vector<double> a(n, 0.0), b(m, 1.0);
    return ks_two_sample(a, b).value();
  };
  EXPECT_NEAR(disjoint(300, 300).log10_p, -178.8296508830675, 1e-11);
  EXPECT_NEAR(disjoint(400, 400).log10_p, -238.9732258865197, 1e-11);
  for (const auto& [n, m] :
       {std::pair<size_t, size_t>{300, 400}, {3000, 1000}, {100'000, 100'000}}) {
    const auto x = static_cast<double>(n), y = static_cast<double>(m);
    const double expected =
        (std::log(2) - std::lgamma(x + y + 1) + std::lgamma(x + 1) + std::lgamma(y + 1)) /
        std::log(10);
    const Ks ks = disjoint(n, m);
    EXPECT_EQ(ks.statistic, 1);
    EXPECT_NEAR(ks.log10_p, expected, 1e-12 * std::abs(expected));
  }
  EXPECT_EQ(disjoint(1000, 1000).p_value, 0);  // underflows; the logarithm does not
}

TEST(KsTest, NamesWhatItCannotDo) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<double> one = {1}, none, bad = {1, nan}, large(1'000'000, 0.0),
                            larger(1'000'001, 0.0);
  EXPECT_EQ(ks_two_sample(one, none).error().code, base::Code::kInvalid);
  EXPECT_THAT(ks_two_sample(bad, one).error().message, HasSubstr("nan"));
  EXPECT_EQ(ks_two_sample(large, larger).error().code, base::Code::kUnsupported);
  EXPECT_EQ(ks_two_sample(large, large).value().p_value, 1);
}

TEST(RocAucTest, TiesCountHalf) {
  const tests::Golden golden("verify_statistics");
  for (const base::Json& c : golden.value("areas")) {
    const auto negative = sample(c.at("negative")), positive = sample(c.at("positive"));
    EXPECT_DOUBLE_EQ(roc_auc(negative, positive).value(), c.at("area").get<double>());
    EXPECT_DOUBLE_EQ(roc_auc(positive, negative).value(), 1 - c.at("area").get<double>());
  }
  const std::vector<double> same = {2, 2}, none, bad = {std::numeric_limits<double>::infinity()};
  EXPECT_EQ(roc_auc(same, same).value(), 0.5);
  EXPECT_EQ(roc_auc(none, same).error().code, base::Code::kInvalid);
  EXPECT_EQ(roc_auc(same, bad).error().code, base::Code::kNumeric);
}

TEST(MeanTest, HarmonicEqualsScipy) {
  const tests::Golden golden("verify_statistics");
  for (const base::Json& c : golden.value("means"))
    EXPECT_DOUBLE_EQ(harmonic_mean(sample(c.at("values"))), c.at("harmonic").get<double>());
  const std::vector<double> values = {1, 2, 6}, none;
  EXPECT_EQ(mean(values), 3);
  EXPECT_THROW(mean(none), base::Bug);
  EXPECT_THROW(harmonic_mean(std::vector<double>{-1.0}), base::Bug);
}

}  // namespace
}  // namespace expunge::verify
