#include "verify/measures.h"

#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>
#include <string>
#include <utility>

#include "base/utf8.h"
#include "verify/rouge.h"
#include "verify/statistics.h"

namespace expunge::verify {
namespace {

using base::Code;
using base::fail;
using base::Result;

constexpr double kShare = 0.4, kLeastVariance = 1e-6;

Result<double> finite(double value, std::string_view what) {
  if (std::isfinite(value)) return value;
  return fail(Code::kNumeric, fmt::format("{} is {}", what, value));
}

base::Status all_finite(const std::vector<double>& values, std::string_view what) {
  for (size_t i = 0; i < values.size(); ++i)
    if (!std::isfinite(values[i]))
      return fail(Code::kNumeric, fmt::format("{} of token {} is {}", what, i, values[i]));
  return {};
}

// How many of the answer's tokens count one by one. `known` is the length of the array at hand.
Result<size_t> n_body(size_t known, std::string_view what) {
  if (known == 0) return fail(Code::kNotFound, fmt::format("needs {} of each token", what));
  if (known == 1)
    return fail(Code::kInvalid, "the answer is empty: one token, the end of the turn");
  return known - 1;
}

// -mean of the least kShare of the values, at least one.
double least_mean(std::vector<double> values) {
  const size_t n =
      std::max<size_t>(1, static_cast<size_t>(static_cast<double>(values.size()) * kShare));
  std::ranges::nth_element(values, values.begin() + static_cast<int64_t>(n) - 1);
  return -mean(std::span(values).first(n));
}

Result<std::vector<double>> body_logprobs(const QaRecord& record) {
  const std::vector<double>& all = record.score.logprobs;
  const size_t n = TRY(n_body(all.size(), "the log-probability"));
  std::vector<double> body(all.begin(), all.begin() + static_cast<int64_t>(n));
  TRY(all_finite(body, "the log-prob"));
  return body;
}

// What can be written in a letter's place: not the signs of Latin-1, punctuation, currencies,
// arrows and other symbols, nor emoji.
bool is_letter(char32_t c) {
  if (c < 0x80) return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  constexpr std::pair<char32_t, char32_t> kSigns[] = {
      {0x80, 0xBF},     {0xD7, 0xD7},     {0xF7, 0xF7},     {0x2000, 0x2BFF},  {0x3000, 0x303F},
      {0xFE00, 0xFE0F}, {0xFF01, 0xFF0F}, {0xFF1A, 0xFF20}, {0x1F000, 0x1FAFF}};
  return std::ranges::none_of(kSigns, [c](const auto& s) { return c >= s.first && c <= s.second; });
}

// Why ROUGE says nothing of an answer; "" if it does.
std::string rouge_reads_too_little(std::string_view answer) {
  if (rouge_words(answer, Stemming::kNone).empty())
    return "the answer has no letter from a to z and no digit, which is all that ROUGE counts";
  size_t letters = 0, others = 0;
  for (size_t at = 0; at < answer.size();) {
    const base::Char c = base::char_at(answer, at);
    at += std::max<size_t>(c.size, 1);
    if (c.size > 0 && is_letter(c.code)) ++(c.code < 0x80 ? letters : others);
  }
  if (others <= letters) return "";
  return fmt::format(
      "{} of the answer's {} letters are not from a to z, which is all that ROUGE "
      "counts besides digits",
      others, letters + others);
}

}  // namespace

Result<double> loss(const QaRecord& record) { return finite(record.score.avg_loss, "avg_loss"); }

Result<double> probability(const QaRecord& record) { return std::exp(-TRY(loss(record))); }

Result<double> option_probability(const QaRecord& record) {
  if (record.perturbed.empty()) return fail(Code::kNotFound, "has no wrong answers");
  const double truth = TRY(loss(record));
  double relative = 1;  // of all answers, to the true one
  for (const AnswerScore& wrong : record.perturbed)
    relative += std::exp(truth - TRY(finite(wrong.avg_loss, "avg_loss of a wrong answer")));
  return 1 / relative;  // 0 where it overflows
}

Result<double> rouge_recall(const QaRecord& record) {
  // Records may come from another program's log, which may lack texts.
  if (const std::string why = rouge_reads_too_little(record.answer);
      !record.answer.empty() && !why.empty())
    return fail(Code::kUnsupported, why);
  if (!record.rougeL_recall) return fail(Code::kNotFound, "has no generation");
  return finite(*record.rougeL_recall, "rougeL_recall");
}

Truth truth_of(std::string_view set) {
  return set == "real_authors" || set == "world_facts" ? Truth::kParaphraseOrAnswer
                                                       : Truth::kParaphrase;
}

Result<double> log_truth_ratio(const QaRecord& record, Truth truth) {
  if (record.perturbed.empty()) return fail(Code::kNotFound, "has no perturbed answers");
  if (truth == Truth::kParaphrase && !record.paraphrased)
    return fail(Code::kNotFound, "has no paraphrased answer");
  const AnswerScore& right = record.paraphrased ? *record.paraphrased : record.score;
  double perturbed = 0;
  for (const AnswerScore& wrong : record.perturbed) perturbed += wrong.avg_loss;
  perturbed /= static_cast<double>(record.perturbed.size());
  return finite(right.avg_loss - perturbed, "the logarithm of the truth ratio");
}

Result<double> exact_memorization(const QaRecord& record) {
  const std::vector<bool>& greedy = record.score.greedy;
  const size_t n = TRY(n_body(greedy.size(), "the first choice"));
  const auto hits = std::count(greedy.begin(), greedy.begin() + static_cast<int64_t>(n), true);
  return static_cast<double>(hits) / static_cast<double>(n);
}

Result<double> extraction_strength(const QaRecord& record) {
  const std::vector<bool>& greedy = record.score.greedy;
  const size_t n = TRY(n_body(greedy.size(), "the first choice"));
  size_t k = n;
  while (k > 0 && greedy[k - 1]) --k;
  return 1 - static_cast<double>(k) / static_cast<double>(n);
}

Result<double> zlib_loss(const QaRecord& record) {
  const auto size = static_cast<uLong>(record.answer.size());
  if (size == 0) return fail(Code::kNotFound, "has no answer text");
  uLongf compressed = compressBound(size);
  std::string buffer(compressed, '\0');
  CHECK(compress(reinterpret_cast<Bytef*>(buffer.data()), &compressed,
                 reinterpret_cast<const Bytef*>(record.answer.data()), size) == Z_OK);
  return TRY(loss(record)) / static_cast<double>(compressed);
}

Result<double> min_k(const QaRecord& record) { return least_mean(TRY(body_logprobs(record))); }

Result<double> min_k_plus_plus(const QaRecord& record) {
  std::vector<double> z = TRY(body_logprobs(record));
  const AnswerScore& s = record.score;
  if (s.mean.empty() || s.variance.empty())
    return fail(Code::kNotFound, "needs mean and variance of the log-probability at each token");
  CHECK(s.mean.size() > z.size() && s.variance.size() > z.size());
  for (size_t i = 0; i < z.size(); ++i) {
    z[i] = (z[i] - s.mean[i]) / std::sqrt(std::max(s.variance[i], kLeastVariance));
  }
  TRY(all_finite(z, "the standardised log-prob"));
  return least_mean(std::move(z));
}

}  // namespace expunge::verify
