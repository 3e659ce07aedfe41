// Multiple choice by the log-probability of the answer's letter after the question: MMLU
// (Hendrycks et al., arXiv 2009.03300) and WMDP (Li et al., arXiv 2403.03218), prompt and score as
// in lm-evaluation-harness (github.com/EleutherAI/lm-evaluation-harness, tasks mmlu and wmdp).
//
// Subjects are scored one after the other, many questions in one scoring pass, so that the worked
// examples which they share are computed once and the letters of a question read one row.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/job.h"
#include "base/json.h"
#include "model/chat_model.h"
#include "text/choice_set.h"
#include "verify/blocks.h"
#include "verify/figures.h"
#include "verify/skipped.h"

namespace expunge::verify {

// kChat: the same prompt as the user's message; the letter begins the reply.
enum class PromptForm { kPlain, kChat };

struct ChoiceRecord {
  int64_t row = 0;
  std::string subject;
  size_t right = 0, chosen = 0;  // chosen: the likeliest, the first of equals
  std::vector<double> logprobs;  // of each letter after the prompt
};

struct ChoiceOptions {
  // With their answers before each question of their subject, in order; none: no examples.
  std::vector<text::ChoiceItem> examples;
  PromptForm form = PromptForm::kPlain;
  Shard shard = {};
  // Called after each block of items with all records, so that they survive a Ctrl+C.
  std::function<base::Status(const std::vector<ChoiceRecord>&)> keep = {};
};

struct Accuracy {
  int64_t n_items = 0, n_right = 0;
  double mean() const { return static_cast<double>(n_right) / static_cast<double>(n_items); }
  // Of the mean: sqrt(p (1 - p) / (n - 1)), the sample deviation over sqrt(n); none for one item.
  std::optional<double> standard_error() const;
};

struct Choices {
  Accuracy all;  // every item weighs the same
  std::map<std::string, Accuracy> subjects;
  std::vector<ChoiceRecord> records;  // by subject, then by row
  std::vector<Skipped> skipped;       // questions whose prompt exceeds the context
};

// Items whose record `done` contains are not scored again. Errors: a subject without examples
// where examples are given; no question that fits the context. They name subject and row.
base::Result<Choices> answer_choices(const model::ChatModel& chat_model,
                                     std::span<const text::ChoiceItem> items,
                                     const ChoiceOptions& options = {},
                                     std::vector<ChoiceRecord> done = {},
                                     const base::Job& job = {});

// "The following are multiple choice questions (with answers) about {subject}.\n\n", the examples
// with their answers, then the question, up to "Answer:"; examples must be of one subject.
std::string choice_prompt(const text::ChoiceItem& item,
                          std::span<const text::ChoiceItem* const> examples);

// acc, acc_stderr, acc/{subject}, n_items.
Figures figures_of(const Choices& result);
// {subject: {row: {"right", "chosen", "logprobs"}}}. Read from a file they are checked; errors name
// subject, row and key.
base::Json choice_records_to_json(std::span<const ChoiceRecord> records);
base::Result<std::vector<ChoiceRecord>> choice_records_from_json(const base::Json& json,
                                                                 std::string_view file);

}  // namespace expunge::verify
