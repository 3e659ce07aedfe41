#include "verify/same_questions.h"

namespace expunge::verify {
namespace {

std::string shown(std::string_view question) {
  constexpr size_t kMost = 60;  // bytes, cut between characters
  if (question.size() <= kMost) return fmt::format("'{}'", question);
  size_t end = kMost;
  while (end > 0 && (static_cast<unsigned char>(question[end]) & 0xC0) == 0x80) --end;
  return fmt::format("'{}…'", question.substr(0, end));
}

}  // namespace

Questions questions_of(const EvalLog& log) {
  Questions questions;
  for (const auto& [set, records] : log.records)
    for (const QaRecord& record : records) questions[set][record.row] = record.question;
  for (const Skipped& s : log.skipped) questions[s.set].try_emplace(s.row, "");
  return questions;
}

bool same_question(std::string_view a, std::string_view b) {
  return a.find(b) != a.npos || b.find(a) != b.npos;
}

base::Status same_questions(const Questions& own, const Questions& retain, std::string_view file) {
  const auto differs = [&](const std::string& what) {
    return base::fail(base::Code::kConflict,
                      fmt::format("{} is of other questions: {}", file, what),
                      "evaluate both models on the same rows, or compare them all the same with "
                      "--force");
  };
  for (const auto& [set, rows] : own) {
    const auto found = retain.find(set);
    if (found == retain.end()) continue;
    auto a = rows.begin();
    auto b = found->second.begin();
    for (; a != rows.end() && b != found->second.end() && a->first == b->first; ++a, ++b)
      if (!same_question(a->second, b->second))
        return differs(fmt::format("{} row {} is {}, expected {}", set, a->first, shown(b->second),
                                   shown(a->second)));
    if (a == rows.end() && b == found->second.end()) continue;
    const bool extra = a == rows.end() || (b != found->second.end() && b->first < a->first);
    return differs(fmt::format("it has {} rows of {}, expected {}; {} row {}", found->second.size(),
                               set, rows.size(),
                               extra ? "the first one too many is" : "the first one it lacks is",
                               extra ? b->first : a->first));
  }
  return {};
}

}  // namespace expunge::verify
