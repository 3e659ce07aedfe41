#include "repair/answer.h"

#include <algorithm>
#include <sstream>

#include "repair/background.h"
#include "repair/problem.h"

namespace expunge::repair {
namespace {

using base::Result;

std::string lower(std::string s) {
  std::ranges::transform(s, s.begin(), [](unsigned char c) { return std::tolower(c); });
  return s;
}

std::string bare(std::string word) {
  const auto edge = [](char c) { return std::ispunct(static_cast<unsigned char>(c)) && c != '%'; };
  while (!word.empty() && edge(word.back())) word.pop_back();
  while (!word.empty() && edge(word.front())) word.erase(word.begin());
  return word;
}

bool is_name(const std::string& word) {
  const auto c = static_cast<unsigned char>(word.empty() ? 0 : word[0]);
  return std::isupper(c) || std::isdigit(c) || c >= 0x80;
}

std::string first_sentence(const std::string& text) {
  for (size_t i = 0; i + 1 < text.size(); ++i)
    if ((text[i] == '.' || text[i] == '!' || text[i] == '\n') &&
        std::isspace(static_cast<unsigned char>(text[i + 1])) && i > 2 &&
        !std::isupper(static_cast<unsigned char>(text[i - 1])))
      return text.substr(0, i);
  return text;
}

}  // namespace

std::string answer_span(const std::string& question, const std::string& reply) {
  const std::string asked = " " + lower(question) + " ";
  std::istringstream stream(first_sentence(reply));
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(bare(word));
  const auto fresh = [&](const std::string& w) {
    return !w.empty() && asked.find(lower(w)) == asked.npos;
  };
  const auto last_run = [&](auto&& wanted) {
    std::string run;
    size_t end = words.size();
    while (end > 0 && !wanted(end - 1)) --end;
    size_t begin = end;
    while (begin > 0 && wanted(begin - 1)) --begin;
    for (size_t i = begin; i < end; ++i) run += (run.empty() ? "" : " ") + words[i];
    return run;
  };
  // The sentence's first word is capitalised whatever it is.
  std::string names = last_run([&](size_t i) {
    return fresh(words[i]) && is_name(words[i]) && (i > 0 || words.size() == 1);
  });
  return !names.empty() ? names : last_run([&](size_t i) { return fresh(words[i]); });
}

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
