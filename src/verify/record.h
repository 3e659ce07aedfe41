// What one pass over a data set leaves of each item. Every metric is computed from records; none
// runs the model (spec: one scoring pass per model, prompt and answer).
#pragma once

#include <cmath>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace expunge::verify {

// Scores of tokens given what precedes: of an answer, its end-of-turn token included. Natural logs.
struct AnswerScore {
  double avg_loss = 0;   // mean negative log-likelihood, nats a token
  int64_t n_tokens = 0;  // 0: not known (read from another program's log)
  // One a token; empty where only the mean is known (read from another program's log).
  std::vector<double> logprobs;
  std::vector<bool> greedy;            // the token is the model's first choice
  std::vector<double> mean, variance;  // of the log-prob under the model's own distribution
  double prob() const { return std::exp(-avg_loss); }  // length-normalised
};

struct QaRecord {
  int64_t row = 0;  // in its data set
  std::string question, answer;
  AnswerScore score;
  std::optional<AnswerScore> paraphrased;
  std::vector<AnswerScore> perturbed;
  std::optional<std::string> generation;  // greedy, special tokens left out
  std::optional<double> rouge1_recall, rougeL_recall, rougeL_f1;
};

// Records by data set: "forget", "retain", "real_authors", "world_facts", "holdout".
using QaRecords = std::map<std::string, std::vector<QaRecord>>;

}  // namespace expunge::verify
