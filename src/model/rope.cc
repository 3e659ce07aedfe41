#include "model/rope.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace expunge::model {
namespace {

using base::Code;
using base::fail;

// Long waves are divided by `factor`, short ones unchanged, a ramp in between.
double llama3_frequency(const Rope& r, double f) {
  const double turns = static_cast<double>(r.original_context) * f / (2 * std::numbers::pi);
  const double ramp =
      std::clamp((turns - r.low_freq_factor) / (r.high_freq_factor - r.low_freq_factor), 0.0, 1.0);
  return (1 - ramp) * f / r.factor + ramp * f;
}

// Pairs below `low` keep their frequency, those above `high` are divided by the factor (Peng et al.
// 2023, eq. 20; the ends as transformers rounds and bounds them).
void yarn(const Rope& r, int64_t n_rotary, std::vector<double>& frequencies) {
  const auto n = static_cast<double>(n_rotary);
  const auto pair_of = [&](double turns) {
    return n * std::log(static_cast<double>(r.original_context) / (turns * 2 * std::numbers::pi)) /
           (2 * std::log(r.theta));
  };
  double low = pair_of(r.beta_fast), high = pair_of(r.beta_slow);
  if (r.truncate) low = std::floor(low), high = std::ceil(high);
  low = std::max(low, 0.0), high = std::min(high, n - 1);
  if (low == high) high += 0.001;
  for (size_t m = 0; m < frequencies.size(); ++m) {
    const double ramp = std::clamp((static_cast<double>(m) - low) / (high - low), 0.0, 1.0);
    frequencies[m] = frequencies[m] * (1 - ramp) + frequencies[m] / r.factor * ramp;
  }
}

}  // namespace

base::Status validate(const Rope& r) {
  const auto check = [](bool ok, const char* what, double got) -> base::Status {
    if (ok) return {};
    return fail(Code::kCorrupt, fmt::format("the model's {} is {}", what, got),
                "the model's configuration is damaged");
  };
  TRY(check(std::isfinite(r.theta) && r.theta > 0, "rope theta", r.theta));
  TRY(check(std::isfinite(r.magnitude) && r.magnitude > 0, "rope magnitude", r.magnitude));
  if (r.scaling == Rope::Scaling::kNone) return {};
  TRY(check(std::isfinite(r.factor) && r.factor >= 1, "rope scaling factor", r.factor));
  if (r.scaling == Rope::Scaling::kLinear) return {};
  TRY(check(r.original_context > 0 && r.original_context <= int64_t{1} << 32,
            "original context length", static_cast<double>(r.original_context)));
  if (r.scaling == Rope::Scaling::kLlama3) {
    TRY(check(r.low_freq_factor > 0 && std::isfinite(r.low_freq_factor), "low frequency factor",
              r.low_freq_factor));
    TRY(check(r.high_freq_factor > r.low_freq_factor && std::isfinite(r.high_freq_factor),
              "high frequency factor", r.high_freq_factor));
  }
  if (r.scaling == Rope::Scaling::kYarn) {
    TRY(check(r.theta != 1, "rope theta", r.theta));
    TRY(check(r.beta_slow > 0 && std::isfinite(r.beta_slow), "beta_slow", r.beta_slow));
    TRY(check(r.beta_fast > 0 && std::isfinite(r.beta_fast), "beta_fast", r.beta_fast));
  }
  return {};
}

std::vector<int32_t> first_positions(int64_t n) {
  std::vector<int32_t> positions;
  for (int64_t i = 0; i < n; ++i) positions.push_back(static_cast<int32_t>(i));
  return positions;
}

std::vector<double> frequencies(const Rope& r, int64_t n_rotary, int64_t length) {
  const auto n = static_cast<double>(n_rotary);
  double theta = r.theta;
  if (r.scaling == Rope::Scaling::kDynamic && n_rotary > 2) {  // "NTK-aware", by the length
    const auto trained = static_cast<double>(r.original_context);
    const double s = std::max(static_cast<double>(length), trained) / trained;
    theta *= std::pow(r.factor * s - (r.factor - 1), n / (n - 2));
  }
  std::vector<double> result(static_cast<size_t>(n_rotary / 2));
  for (size_t i = 0; i < result.size(); ++i) {
    result[i] = std::pow(theta, -2.0 * static_cast<double>(i) / n);
    if (r.scaling == Rope::Scaling::kLinear) result[i] /= r.factor;
    if (r.scaling == Rope::Scaling::kLlama3) result[i] = llama3_frequency(r, result[i]);
  }
  if (r.scaling == Rope::Scaling::kYarn) yarn(r, n_rotary, result);
  return result;
}

RopeTable rope_table(const Rope& r, int64_t n_rotary, std::span<const int32_t> positions,
                     std::span<const int32_t> lengths) {
  const auto n = static_cast<int64_t>(positions.size()), half = n_rotary / 2;
  RopeTable table{at::empty({n, half}, tensor::f32()), at::empty({n, half}, tensor::f32())};
  float *cos = table.cos.data_ptr<float>(), *sin = table.sin.data_ptr<float>();
  std::vector<double> each;
  for (size_t t = 0; t < positions.size(); ++t) {
    if (t == 0 || (r.scaling == Rope::Scaling::kDynamic && lengths[t] != lengths[t - 1]))
      each = frequencies(r, n_rotary, lengths[t]);
    for (const double frequency : each) {
      // The angle is rounded to float32 before cos and sin, as the reference implementation does.
      const float angle = static_cast<float>(positions[t]) * static_cast<float>(frequency);
      *cos++ = static_cast<float>(std::cos(static_cast<double>(angle)) * r.magnitude);
      *sin++ = static_cast<float>(std::sin(static_cast<double>(angle)) * r.magnitude);
    }
  }
  return table;
}

base::Result<Rope> rope_from_factors(const Rope& rope, std::span<const float> factors) {
  Rope r = rope;  // 1, 4 and 8192 in every Llama 3; the factor is that of the longest wave
  r.scaling = Rope::Scaling::kLlama3;
  r.original_context = 8192, r.low_freq_factor = 1, r.high_freq_factor = 4, r.factor = 1;
  for (const float f : factors) r.factor = std::max<double>(r.factor, f);
  const auto n = static_cast<int64_t>(2 * factors.size());
  const auto plain = frequencies(rope, n, 0), scaled = frequencies(r, n, 0);
  for (size_t i = 0; i < factors.size(); ++i)
    if (!(std::abs(plain[i] / scaled[i] / factors[i] - 1) < 1e-4))
      return fail(Code::kUnsupported, "rope_freqs.weight is not the scaling of a Llama 3");
  return r.factor == 1 ? rope : r;
}

}  // namespace expunge::model
