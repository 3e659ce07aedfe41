#include "repair/fact_set.h"

#include <algorithm>

#include "base/json.h"

namespace expunge::repair {
namespace {

using base::Code;
using base::Json;
using base::Result;
using verify::Question;

std::vector<std::string> strings(const Json& json, const char* key) {
  return json.value(key, std::vector<std::string>());
}

}  // namespace

Result<std::vector<Fact>> read_facts(const std::string& path, size_t limit) {
  std::vector<Fact> facts;
  for (const Json& j : TRY(base::read_jsonl(path))) {
    if (!j.is_object() || !j.contains("question") || !j.contains("answer"))
      return base::fail(Code::kInvalid, fmt::format("{}: a fact needs question and answer", path),
                        "see data/facts/README.md");
    Fact f;
    f.subject = j.value("subject", "");
    f.relation = j.value("relation", "");
    f.request.prompt = j.value("question", "");
    f.request.answers = strings(j, "answer");
    if (f.request.answers.empty())
      return base::fail(Code::kInvalid, fmt::format("{}: an empty list of answers", path));
    f.request.response = f.request.answers[0];
    for (const std::string& p : strings(j, "paraphrases"))
      f.paraphrases.push_back({p, "", f.request.answers});
    for (const Json& n : j.value("neighbours", Json::array()))
      f.neighbours.push_back({n.value("question", ""), "", strings(n, "answer")});
    const std::string completion = j.value("completion", "");
    if (!completion.empty()) {
      f.probing.push_back({completion, "", f.request.answers});
      f.probing.push_back({f.request.prompt, completion, f.request.answers});
    }
    facts.push_back(std::move(f));
    if (limit > 0 && facts.size() == limit) break;
  }
  // The file's other facts about a subject were checked to be known to the model.
  for (Fact& f : facts)
    for (const Fact& other : facts) {
      if (other.subject != f.subject || other.relation == f.relation) continue;
      f.same_subject.push_back({other.request.prompt, "", other.request.answers});
      f.same_subject_first.push_back(
          {f.subject + ": " + other.request.prompt, "", other.request.answers});
    }
  return facts;
}

Result<std::vector<Question>> read_questions(const std::string& path) {
  std::vector<Question> questions;
  for (const Json& j : TRY(base::read_jsonl(path)))
    questions.push_back({j.value("question", ""), "", strings(j, "answer")});
  return questions;
}

std::vector<Fact> lengthened(std::vector<Fact> facts, size_t n) {
  const size_t given = facts.size();
  constexpr size_t kOfEach = 4;  // in turn, so that no fact loses all its neighbours first
  for (size_t k = 0; k < kOfEach; ++k)
    for (size_t i = 0; i < given && facts.size() < n; ++i) {
      if (k >= facts[i].neighbours.size() || facts[i].neighbours[k].answers.empty()) continue;
      const Question q = facts[i].neighbours[k];
      if (std::ranges::any_of(facts, [&](const Fact& f) { return f.request.prompt == q.prompt; }))
        continue;
      Fact f;
      f.request.prompt = q.prompt;
      f.request.response = q.answers[0];
      f.request.answers = q.answers;
      facts.push_back(std::move(f));
    }
  return facts;
}

}  // namespace expunge::repair
