#include "repair/fact_set.h"

#include <algorithm>

#include "base/json.h"

namespace expunge::repair {
namespace {

using base::Code;
using base::Json;
using base::Result;
using verify::Question;

constexpr const char* kHint = "see data/facts/README.md";

// The text under a key, "" if there is none.
Result<std::string> text_at(const Json& json, const char* key, const std::string& path) {
  if (!json.contains(key)) return std::string();
  if (json[key].is_string()) return json[key].get<std::string>();
  return base::fail(Code::kInvalid, fmt::format("{}: {} must be a text", path, key), kHint);
}

// The list under a key, empty if there is none.
Result<Json> list_at(const Json& json, const char* key, const std::string& path) {
  if (!json.contains(key)) return Json::array();
  if (json[key].is_array()) return json[key];
  return base::fail(Code::kInvalid, fmt::format("{}: {} must be a list", path, key), kHint);
}

Result<std::vector<std::string>> texts_at(const Json& json, const char* key,
                                          const std::string& path) {
  std::vector<std::string> all;
  for (const Json& element : TRY(list_at(json, key, path))) {
    if (!element.is_string())
      return base::fail(Code::kInvalid, fmt::format("{}: {} must be texts", path, key), kHint);
    all.push_back(element.get<std::string>());
  }
  return all;
}

Result<Question> question_of(const Json& json, const std::string& path) {
  if (!json.is_object() || !json.contains("question") || !json.contains("answer"))
    return base::fail(Code::kInvalid, fmt::format("{}: a fact needs question and answer", path),
                      kHint);
  return Question{TRY(text_at(json, "question", path)), "", TRY(texts_at(json, "answer", path))};
}

}  // namespace

Result<std::vector<Fact>> read_facts(const std::string& path, size_t limit) {
  std::vector<Fact> facts;
  for (const Json& j : TRY(base::read_jsonl(path))) {
    const Question asked = TRY(question_of(j, path));
    Fact f;
    f.subject = TRY(text_at(j, "subject", path));
    f.relation = TRY(text_at(j, "relation", path));
    f.request.prompt = asked.prompt;
    f.request.answers = asked.answers;
    if (f.request.answers.empty())
      return base::fail(Code::kInvalid, fmt::format("{}: an empty list of answers", path));
    f.request.response = f.request.answers[0];
    for (const std::string& p : TRY(texts_at(j, "paraphrases", path)))
      f.paraphrases.push_back({p, "", f.request.answers});
    for (const Json& n : TRY(list_at(j, "neighbours", path)))
      f.neighbours.push_back(TRY(question_of(n, path)));
    const std::string completion = TRY(text_at(j, "completion", path));
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
  for (const Json& j : TRY(base::read_jsonl(path))) questions.push_back(TRY(question_of(j, path)));
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
