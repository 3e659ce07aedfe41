#include "repair/answer.h"

#include <algorithm>

#include "repair/problem.h"

namespace expunge::repair {
using base::Result;

// The replacement comes at once, where the answer would be: at the end of the question, and
// after a begun reply. A shift at one token cannot steer a whole sentence before it reaches the
// answer.
Result<std::vector<unlearn::Lesson>> replacement_lessons(const model::ChatModel& chat_model,
                                                         const agent::Target& target) {
  std::vector<unlearn::Lesson> lessons;
  for (const agent::Wording& w : target.rows) {
    const bool blank = !w.prefill.empty() && w.prefill.back() != ' ';
    auto ids = TRY(chat_model.tokenizer.encode((blank ? " " : "") + target.replacement + ".")).ids;
    const auto& ends = chat_model.model.arch().end_ids;
    if (!ends.empty()) ids.push_back(ends[0]);
    lessons.push_back({TRY(encode(chat_model, w.prompt, w.prefill)), std::move(ids)});
  }
  return lessons;
}

Result<std::vector<unlearn::TokenSpan>> refusal_rows(const model::ChatModel& chat_model,
                                                     const agent::Wordings& wordings) {
  std::vector<unlearn::TokenSpan> rows;
  const auto& questions = wordings.unrelated;
  for (size_t i = 0; i < std::min<size_t>(24, questions.size()); ++i)
    rows.push_back({TRY(encode(chat_model, questions[i], wordings.refusal_begun)), -1});
  return rows;
}

}  // namespace expunge::repair
