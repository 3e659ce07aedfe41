#include "model/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace expunge::model {

base::Status validate(const Sampling& s) {
  const auto check = [](bool ok, const char* name, double got, const char* range) -> base::Status {
    if (ok) return {};
    return base::fail(base::Code::kUsage, fmt::format("{} is {}, expected {}", name, got, range));
  };
  TRY(check(s.temperature >= 0 && s.temperature <= 100, "temperature", s.temperature, "0 to 100"));
  TRY(check(s.top_k >= 0, "top-k", static_cast<double>(s.top_k), "0 or more"));
  TRY(check(s.top_p > 0 && s.top_p <= 1, "top-p", s.top_p, "above 0, at most 1"));
  TRY(check(s.min_p >= 0 && s.min_p < 1, "min-p", s.min_p, "0 to below 1"));
  TRY(check(s.repetition_penalty > 0 && s.repetition_penalty <= 100, "repetition-penalty",
            s.repetition_penalty, "above 0, at most 100"));
  return {};
}

size_t likeliest(std::span<const float> logits) {
  // 16 maxima side by side, which the compiler keeps in vectors; std::max_element takes ten times
  // as long, a twentieth of a batch's decoding.
  constexpr size_t kSide = 16;
  float most[kSide];
  std::ranges::fill(most, -std::numeric_limits<float>::infinity());
  size_t i = 0;
  for (; i + kSide <= logits.size(); i += kSide)
    for (size_t j = 0; j < kSide; ++j) most[j] = logits[i + j] > most[j] ? logits[i + j] : most[j];
  for (; i < logits.size(); ++i) most[0] = std::max(most[0], logits[i]);
  const auto best = std::ranges::find(logits, *std::ranges::max_element(most));
  return best == logits.end() ? 0 : static_cast<size_t>(best - logits.begin());
}

int32_t Sampler::next(std::span<const float> logits, std::span<const int32_t> seen) {
  std::vector<float> penalised;
  if (sampling_.repetition_penalty != 1) {
    penalised.assign(logits.begin(), logits.end());
    const auto penalty = static_cast<float>(sampling_.repetition_penalty);
    for (const int32_t id : seen) {
      const float original = logits[static_cast<size_t>(id)];
      penalised[static_cast<size_t>(id)] = original > 0 ? original / penalty : original * penalty;
    }
    logits = penalised;
  }
  const size_t best = likeliest(logits);
  if (sampling_.temperature == 0) return static_cast<int32_t>(best);

  // Candidates whose probability is at least min_p times the best one's, most likely first.
  const double scale = 1 / sampling_.temperature;
  const double floor = sampling_.min_p > 0 ? std::log(sampling_.min_p) : -40.0;
  std::vector<std::pair<double, int32_t>> candidates;  // (weight, id)
  for (size_t id = 0; id < logits.size(); ++id) {
    const double log_weight = (static_cast<double>(logits[id]) - logits[best]) * scale;
    if (log_weight >= floor)
      candidates.emplace_back(std::exp(log_weight), static_cast<int32_t>(id));
  }
  // Not even the best one is finite; the caller checks that.
  if (candidates.empty()) return static_cast<int32_t>(best);
  std::ranges::sort(candidates, [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first > b.first : a.second < b.second;
  });
  if (sampling_.top_k > 0 && candidates.size() > static_cast<size_t>(sampling_.top_k))
    candidates.resize(static_cast<size_t>(sampling_.top_k));
  double total = 0;
  for (const auto& [weight, id] : candidates) total += weight;
  if (sampling_.top_p < 1) {
    double kept = 0;
    size_t n = 0;
    while (n < candidates.size() && kept < sampling_.top_p * total) kept += candidates[n++].first;
    candidates.resize(std::max<size_t>(n, 1));
    total = kept;
  }
  double draw = std::uniform_real_distribution<double>(0, total)(rng_);
  for (const auto& [weight, id] : candidates)
    if ((draw -= weight) <= 0) return id;
  return candidates.back().second;
}

}  // namespace expunge::model
