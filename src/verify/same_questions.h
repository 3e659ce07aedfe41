// Whether a model and the retain-only model that it is compared with were asked the same questions:
// a test between answers to different questions measures the questions.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/error.h"
#include "verify/eval_log.h"

namespace expunge::verify {

// {set: {row: question}}; "" where only the row is known.
using Questions = std::map<std::string, std::map<int64_t, std::string>>;
// Skipped items count as asked.
Questions questions_of(const EvalLog& log);

// Logs of other programs hold the question within its prompt; a question that is not known equals
// any.
bool same_question(std::string_view a, std::string_view b);

// kConflict names the first row that differs: a question of one only, or two questions. Compared
// are the sets that both have. `file` is where the retain-only model's come from.
base::Status same_questions(const Questions& own, const Questions& retain, std::string_view file);

}  // namespace expunge::verify
