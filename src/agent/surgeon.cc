#include "agent/surgeon.h"

#include <algorithm>
#include <set>

namespace expunge::agent {
namespace {

constexpr size_t kNeighbours = 24;  // other subjects of the same relation in the rows

// Every third one is held.
void split(const std::vector<Wording>& all, Target& target) {
  for (size_t i = 0; i < all.size(); ++i)
    (i % 3 == 2 ? target.held : target.rows).push_back(all[i]);
}

void add_wordings(const Wordings& w, const Reading& reading, const Request& request, Target& t) {
  std::vector<Wording> wrapped, asked, begun;
  for (const std::string& p : w.wrappers) wrapped.push_back({fill_in(p, t.subject, t.prompt), ""});
  if (!t.subject.empty())
    for (const std::string& p : w.subject_first)
      wrapped.push_back({fill_in(p, t.subject, t.prompt), ""});
  for (const std::string& p : w.prefills) begun.push_back({t.prompt, p});
  if (reading.relation) {
    for (const std::string& p : reading.relation->questions)
      asked.push_back({fill_in(p, t.subject), ""});
    for (const std::string& p : reading.relation->first)
      asked.push_back({fill_in(p, t.subject), ""});
    for (const std::string& p : reading.relation->prefills)
      begun.push_back({t.prompt, fill_in(p, t.subject)});
  }
  for (const std::string& p : request.paraphrases) asked.push_back({p, ""});
  // Wrapped forms are near copies of the question: one of them in the gates is enough.
  t.rows = std::move(wrapped);
  t.held = {t.rows.back()};
  t.rows.pop_back();
  split(asked, t);
  t.rows.insert(t.rows.end(), begun.begin(), begun.end());
}

void add_retained(const Wordings& w, const Reading& reading, const Request& request, Target& t) {
  t.neighbours = request.neighbours;
  const SubjectType* type = reading.relation ? w.type(reading.relation->type) : nullptr;
  std::set<std::string> own;
  for (const Wording& row : t.rows) own.insert(row.prompt);
  if (type) {
    for (const std::string& entity : type->entities) {
      if (entity == t.subject || t.neighbours.size() >= kNeighbours) continue;
      t.neighbours.push_back(fill_in(reading.relation->questions.front(), entity));
    }
  }
  if (t.subject.empty()) return;
  std::vector<std::string> patterns;
  if (type) {
    patterns = type->other;
    patterns.insert(patterns.end(), type->other_first.begin(), type->other_first.end());
  }
  patterns.insert(patterns.end(), w.subject_questions.begin(), w.subject_questions.end());
  patterns.insert(patterns.end(), w.subject_questions_first.begin(),
                  w.subject_questions_first.end());
  for (const std::string& pattern : patterns) {
    const std::string question = fill_in(pattern, t.subject);
    const Reading other = read_question(w, question);
    const bool same = reading.relation && other.relation == reading.relation;
    if (!same && question != t.prompt && !own.contains(question))
      t.same_subject.push_back(question);
  }
}

}  // namespace

base::Result<Plan> make_plan(const Wordings& wordings, const std::vector<Request>& requests,
                             Intent intent) {
  Plan plan;
  plan.intent = intent;
  for (const Request& request : requests) {
    if (request.prompt.empty())
      return base::fail(
          base::Code::kInvalid, "a request without a question",
          "say what the model is asked, e.g. --prompt 'What is the capital of France?'");
    Target t;
    t.prompt = request.prompt;
    t.response = request.response;
    t.replacement = request.replacement;
    t.answers = request.answers;
    if (t.answers.empty() && !t.response.empty()) t.answers = {t.response};
    const Reading reading = read_question(wordings, t.prompt);
    t.subject = reading.subject;
    add_wordings(wordings, reading, request, t);
    add_retained(wordings, reading, request, t);
    plan.targets.push_back(std::move(t));
  }
  plan.reason =
      intent == Intent::kCorrect ? "the user corrects an answer" : "the user asks to forget";
  TRY(validate(plan));
  return plan;
}

}  // namespace expunge::agent
