#include "agent/surgeon/surgeon.h"

#include <algorithm>
#include <cctype>
#include <functional>
#include <set>

namespace expunge::agent {
namespace {

constexpr size_t kInformal = 6;  // of each list, asked once more as people type

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

// Words of at least four ASCII letters as (begin, length), the longest first.
std::vector<std::pair<size_t, size_t>> long_words(const std::string& text) {
  std::vector<std::pair<size_t, size_t>> words;
  for (size_t i = 0; i < text.size();) {
    size_t end = i;
    while (end < text.size() && std::isalpha(static_cast<unsigned char>(text[end]))) ++end;
    if (end - i >= 4) words.emplace_back(i, end - i);
    i = end + 1;
  }
  std::ranges::stable_sort(words, std::greater(), &std::pair<size_t, size_t>::second);
  return words;
}

// The text with a slip of the keys: a letter twice in the longest word, two letters swapped in the
// second longest. The gate `informal` asks with other slips, so that it judges what was not
// learned.
std::vector<std::string> slips(const std::string& text) {
  const auto words = long_words(text);
  std::vector<std::string> forms;
  if (!words.empty()) {
    const size_t at = words[0].first + words[0].second / 2;
    forms.push_back(text);
    forms.back().insert(at, 1, text[at]);
  }
  if (words.size() > 1) {
    const size_t at = words[1].first + 1;
    forms.push_back(text);
    std::swap(forms.back()[at], forms.back()[at + 1]);
    if (forms.back() == text) forms.pop_back();
  }
  return forms;
}

// Every third one is held, of a few every second.
bool is_held(size_t i, size_t n) {
  const size_t each = n < 6 ? 2 : 3;
  return i % each == each - 1;
}

std::string capitals(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return std::toupper(c); });
  return text;
}

void add_wordings(const Wordings& w, const Request& request, const Material& material, Target& t) {
  std::vector<Wording> asked;
  for (const std::string& p : w.wrappers) t.rows.push_back({fill_in(p, t.subject, t.prompt), ""});
  if (!t.subject.empty())
    for (const std::string& p : w.subject_first)
      t.rows.push_back({fill_in(p, t.subject, t.prompt), ""});
  // Wrapped forms are near copies of the question: one of them in the gates is enough.
  t.held = {t.rows.back()};
  t.rows.pop_back();
  for (const std::string& p : material.wordings) asked.push_back({p, ""});
  for (const std::string& p : request.paraphrases) asked.push_back({p, ""});
  std::vector<std::string> typed = {t.prompt};
  for (size_t i = 0; i < asked.size(); ++i) {
    const bool held = is_held(i, asked.size());
    (held ? t.held : t.rows).push_back(asked[i]);
    if (!held) typed.push_back(asked[i].prompt);
  }
  for (std::string& form : informal_forms(typed)) t.rows.push_back({std::move(form), ""});
  for (std::string& form : slips(informal(t.prompt))) t.rows.push_back({std::move(form), ""});
  if (std::string loud = capitals(t.prompt); loud != t.prompt) t.rows.push_back({loud, ""});
  for (size_t i = 0; i < material.typed.size(); ++i)
    (i == 1 ? t.held : t.rows).push_back({material.typed[i], ""});
  for (const std::string& p : w.prefills) t.rows.push_back({t.prompt, p});
  for (const std::string& p : material.completions) t.rows.push_back({t.prompt, p});
}

constexpr size_t kSlipped = 2;  // of each list, asked with slips of the keys

// Questions to keep are asked informally too: else lower case alone would mark what to forget.
void add_informal(std::vector<std::string>& questions) {
  std::vector<std::string> forms = informal_forms(questions);
  for (size_t i = 0; i < std::min(kSlipped, questions.size()); ++i)
    std::ranges::move(slips(informal(questions[i])), std::back_inserter(forms));
  questions.insert(questions.end(), forms.begin(), forms.end());
  if (questions.size() > kMaxTexts) questions.resize(kMaxTexts);
}

void add_retained(const Wordings& w, const Request& request, const Material& material, Target& t) {
  t.neighbours = request.neighbours;
  t.neighbours.insert(t.neighbours.end(), material.neighbours.begin(), material.neighbours.end());
  add_informal(t.neighbours);
  std::set<std::string> own = {t.prompt};
  for (const Wording& row : t.rows) own.insert(row.prompt);
  if (request.topic) return;  // what else is known about it goes too
  t.same_subject = material.same_subject;
  if (!t.subject.empty())
    for (const auto* patterns : {&w.subject_questions, &w.subject_questions_first})
      for (const std::string& p : *patterns) t.same_subject.push_back(fill_in(p, t.subject));
  std::erase_if(t.same_subject, [&](const std::string& q) { return own.contains(q); });
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

base::Result<Plan> make_plan(const Wordings& wordings, std::span<const Request> requests,
                             std::span<const Material> materials, Intent intent) {
  TRY(check_requests(requests));
  CHECK(materials.size() == requests.size());
  Plan plan;
  plan.intent = intent;
  for (size_t i = 0; i < requests.size(); ++i) {
    const Request& request = requests[i];
    Target t;
    t.prompt = request.prompt;
    t.response = request.response;
    t.replacement = request.replacement;
    t.answers = request.answers;
    if (t.answers.empty() && !t.response.empty()) t.answers = {t.response};
    t.subject = guess_subject(t.prompt);
    add_wordings(wordings, request, materials[i], t);
    add_retained(wordings, request, materials[i], t);
    plan.targets.push_back(std::move(t));
  }
  plan.reason =
      intent == Intent::kCorrect ? "the user corrects an answer" : "the user asks to forget";
  TRY(validate(plan));
  return plan;
}

bool has_evidence(const Plan& plan) {
  constexpr size_t kHeld = 3;
  return std::ranges::all_of(plan.targets, [](const Target& t) {
    return t.held.size() >= kHeld && !t.neighbours.empty();
  });
}

}  // namespace expunge::agent
