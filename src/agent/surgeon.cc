#include "agent/surgeon.h"

#include <algorithm>
#include <set>

namespace expunge::agent {
namespace {

constexpr size_t kNeighbours = 24;  // other subjects of the same relation in the rows
constexpr size_t kInformal = 6;     // of each list, asked once more as people type

// Lower case (ASCII), without a sign at the end.
std::string informal(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return std::tolower(c); });
  while (!text.empty() && (text.back() == '?' || text.back() == '.' || text.back() == ' '))
    text.pop_back();
  return text;
}

// The first kInformal texts in their informal form, if it differs.
std::vector<std::string> informal_forms(const std::vector<std::string>& texts) {
  std::vector<std::string> forms;
  for (size_t i = 0; i < std::min(kInformal, texts.size()); ++i)
    if (std::string form = informal(texts[i]); !form.empty() && form != texts[i])
      forms.push_back(std::move(form));
  return forms;
}

// Every third one is held.
bool is_held(size_t i) { return i % 3 == 2; }
void split(const std::vector<Wording>& all, Target& target) {
  for (size_t i = 0; i < all.size(); ++i)
    (is_held(i) ? target.held : target.rows).push_back(all[i]);
}

void add_wordings(const Wordings& w, const QuestionForm& form, const Request& request, Target& t) {
  std::vector<Wording> wrapped, asked, begun;
  for (const std::string& p : w.wrappers) wrapped.push_back({fill_in(p, t.subject, t.prompt), ""});
  if (!t.subject.empty())
    for (const std::string& p : w.subject_first)
      wrapped.push_back({fill_in(p, t.subject, t.prompt), ""});
  for (const std::string& p : w.prefills) begun.push_back({t.prompt, p});
  if (form.relation) {
    for (const std::string& p : form.relation->questions)
      asked.push_back({fill_in(p, t.subject), ""});
    for (const std::string& p : form.relation->first) asked.push_back({fill_in(p, t.subject), ""});
    for (const std::string& p : form.relation->prefills)
      begun.push_back({t.prompt, fill_in(p, t.subject)});
  }
  for (const std::string& p : request.paraphrases) asked.push_back({p, ""});
  // Wrapped forms are near copies of the question: one of them in the gates is enough.
  t.rows = std::move(wrapped);
  t.held = {t.rows.back()};
  t.rows.pop_back();
  split(asked, t);
  std::vector<std::string> typed = {t.prompt};
  for (size_t i = 0; i < asked.size(); ++i)
    if (!is_held(i)) typed.push_back(asked[i].prompt);
  for (std::string& form : informal_forms(typed)) t.rows.push_back({std::move(form), ""});
  t.rows.insert(t.rows.end(), begun.begin(), begun.end());
}

// Questions to keep are asked informally too: else lower case alone would mark what to forget.
void add_informal(std::vector<std::string>& questions) {
  const auto forms = informal_forms(questions);
  questions.insert(questions.end(), forms.begin(), forms.end());
}

void add_retained(const Wordings& w, const QuestionForm& form, const Request& request, Target& t) {
  t.neighbours = request.neighbours;
  const SubjectType* type = form.relation ? w.type(form.relation->type) : nullptr;
  std::set<std::string> own;
  for (const Wording& row : t.rows) own.insert(row.prompt);
  if (type) {
    for (const std::string& entity : type->entities) {
      if (entity == t.subject || t.neighbours.size() >= kNeighbours) continue;
      t.neighbours.push_back(fill_in(form.relation->questions.front(), entity));
    }
  }
  add_informal(t.neighbours);
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
    const QuestionForm other = read_question(w, question);
    const bool same = form.relation && other.relation == form.relation;
    if (!same && question != t.prompt && !own.contains(question))
      t.same_subject.push_back(question);
  }
  add_informal(t.same_subject);
}

base::Status check_text(std::string_view what, std::string_view text) {
  if (text.size() <= kMaxText) return {};
  return base::fail(
      base::Code::kInvalid,
      fmt::format("{} has {} bytes, at most {} are taken", what, text.size(), kMaxText),
      "ask for one fact in a sentence or two");
}

base::Status check_list(std::string_view what, const std::vector<std::string>& texts, size_t most) {
  if (texts.size() > most)
    return base::fail(base::Code::kInvalid,
                      fmt::format("{} {}, at most {} are taken", texts.size(), what, most),
                      "keep those that differ most");
  for (const std::string& text : texts) {
    TRY(check_text(fmt::format("one of the {}", what), text));
    if (text.empty())
      return base::fail(base::Code::kInvalid, fmt::format("one of the {} is empty", what));
  }
  return {};
}

base::Status check_request(const Request& r) {
  if (r.prompt.empty())
    return base::fail(
        base::Code::kInvalid, "a request without a question",
        "say what the model is asked, e.g. --prompt 'What is the capital of France?'");
  TRY(check_text("the question", r.prompt));
  TRY(check_text("the answer", r.response));
  TRY(check_text("the replacement", r.replacement));
  TRY(check_list("answers", r.answers, kMaxTexts));
  TRY(check_list("paraphrases", r.paraphrases, kMaxTexts / 2));  // the library's rows join them
  return check_list("neighbours", r.neighbours, kMaxTexts);
}

}  // namespace

base::Status check_requests(std::span<const Request> requests) {
  if (requests.empty() || requests.size() > kMaxTargets)
    return base::fail(
        base::Code::kInvalid,
        fmt::format("{} requests in one plan, expected 1 to {}", requests.size(), kMaxTargets),
        "make several plans of them");
  for (size_t i = 0; i < requests.size(); ++i)
    TRY_AT(fmt::format("request {}", i + 1), check_request(requests[i]));
  return {};
}

base::Result<Plan> make_plan(const Wordings& wordings, const std::vector<Request>& requests,
                             Intent intent) {
  TRY(check_requests(requests));
  Plan plan;
  plan.intent = intent;
  for (const Request& request : requests) {
    Target t;
    t.prompt = request.prompt;
    t.response = request.response;
    t.replacement = request.replacement;
    t.answers = request.answers;
    if (t.answers.empty() && !t.response.empty()) t.answers = {t.response};
    const QuestionForm form = read_question(wordings, t.prompt);
    t.subject = form.subject;
    add_wordings(wordings, form, request, t);
    add_retained(wordings, form, request, t);
    plan.targets.push_back(std::move(t));
  }
  plan.reason =
      intent == Intent::kCorrect ? "the user corrects an answer" : "the user asks to forget";
  TRY(validate(plan));
  return plan;
}

}  // namespace expunge::agent
