#include "repair/answer.h"

#include <algorithm>

#include "repair/background.h"
#include "repair/problem.h"

namespace expunge::repair {
using base::Result;

Result<tensor::Tensor> learn_replacement(const model::Patient& patient, const agent::Target& target,
                                         const unlearn::Background& background, uint64_t seed,
                                         const base::Progress& progress) {
  const verify::Question question{target.prompt, "", {}};
  std::string reply = TRY(ask(patient, {&question, 1}, verify::kReplyTokens))[0];
  std::string corrected = target.replacement;
  for (const std::string& answer : target.answers)
    if (const size_t at = reply.find(answer); at != reply.npos) {
      corrected = reply.replace(at, answer.size(), target.replacement);
      break;
    }
  auto ids = TRY(patient.tokenizer.encode(corrected)).ids;
  const auto& ends = patient.model->config().end_ids;
  if (!ends.empty()) ids.push_back(ends[0]);
  std::vector<unlearn::Lesson> lessons;
  for (const agent::Wording& w : target.rows)
    if (w.prefill.empty()) lessons.push_back({TRY(encode(patient, w.prompt)), ids});
  return unlearn::learn_shift(*patient.model, lessons, background.layer, seed, progress);
}

Result<std::vector<unlearn::Row>> refusal_rows(const model::Patient& patient) {
  std::vector<unlearn::Row> rows;
  const auto& questions = agent::Wordings::builtin().unrelated;
  for (size_t i = 0; i < std::min<size_t>(24, questions.size()); ++i)
    rows.push_back({TRY(encode(patient, questions[i], "I'm sorry, but I don't know")), -1});
  return rows;
}

}  // namespace expunge::repair
