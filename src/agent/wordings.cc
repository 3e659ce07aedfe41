#include "agent/wordings.h"

#include <re2/re2.h>

#include <algorithm>
#include <cctype>

#include "base/hash.h"

#include "tables/wordings.inc"  // kWordingsJson, made by the build from data/wordings.json

namespace expunge::agent {
namespace {

using base::Json;

constexpr size_t kMaxGuess = 200;  // bytes; longer text is not a subject

std::vector<std::string> list(const Json& json, const char* key) {
  return json.value(key, std::vector<std::string>());
}

std::string trimmed(std::string_view text) {
  constexpr std::string_view kOutside = " \t\n\v\f\r?.\"";
  const size_t first = text.find_first_not_of(kOutside);
  if (first == text.npos) return {};
  return std::string(text.substr(first, text.find_last_not_of(kOutside) + 1 - first));
}

// The last run of capitalised words; the word that opens the sentence ("What", "Name") does not
// belong to it.
std::string last_name(std::string_view question) {
  static const RE2 kCapitals(
      R"(\b(?:the )?[A-Z][\w.'-]*(?: (?:of|the|and|de|von|van|der|[A-Z][\w.'-]*))*\b)");
  static const RE2 kOpener(
      R"(^(?:What|Who|Where|When|Which|Why|How|In|On|Is|Are|Was|Were|Did|Does|Do|Can|Could|Tell|Name|Give|The|At|Please|I|My|For|Of)\b\s*)");
  std::string best;
  re2::StringPiece found;
  for (size_t at = 0; kCapitals.Match(question, at, question.size(), RE2::UNANCHORED, &found, 1);) {
    const auto begin = static_cast<size_t>(found.data() - question.data());
    at = begin + found.size();
    std::string run(found.data(), found.size());
    if (begin == 0) RE2::Replace(&run, kOpener, "");
    const size_t capital = run.starts_with("the ") ? 4 : 0;
    if (capital < run.size() && std::isupper(static_cast<unsigned char>(run[capital])))
      best = std::move(run);
  }
  if (best.ends_with("'s")) best.resize(best.size() - 2);
  return trimmed(best);
}

// Throws nlohmann's exceptions where a type is wrong.
Wordings wordings_from_json(const Json& json) {
  Wordings w;
  w.wrappers = list(json, "wrappers");
  w.subject_first = list(json, "subject_first");
  w.prefills = list(json, "prefills");
  w.subject_questions = list(json, "subject_questions");
  w.subject_questions_first = list(json, "subject_questions_first");
  w.unrelated = list(json, "unrelated");
  w.prose = list(json, "prose");
  w.held_prose = list(json, "held_prose");
  for (const auto& [name, t] : json.at("types").items())
    w.types.push_back({name, list(t, "entities"), list(t, "other"), list(t, "other_first")});
  for (const auto& [name, r] : json.at("relations").items())
    w.relations.push_back(
        {name, r.value("type", ""), list(r, "questions"), list(r, "first"), list(r, "prefills")});
  return w;
}

}  // namespace

const Wordings& Wordings::builtin() {
  static const Wordings kWordings = [] {
    auto parsed = parse(kWordingsJson);
    CHECK(parsed.has_value(), "data/wordings.json: {}", parsed.error().message);
    return std::move(*parsed);
  }();
  return kWordings;
}

base::Result<Wordings> Wordings::parse(std::string_view text) {
  const Json json = TRY(base::parse_json(text, "wordings"));
  try {
    Wordings w = wordings_from_json(json);
    w.refusal = json.value("refusal", "I'm sorry, but I don't know the answer to that.");
    w.refusal_begun = json.value("refusal_begun", "I'm sorry, but I don't know");
    w.hash = base::sha256_hex(text);
    return w;
  } catch (const nlohmann::json::exception& error) {
    return base::fail(base::Code::kInvalid, std::string("wordings: ") + error.what());
  }
}

const SubjectType* Wordings::type(std::string_view name) const {
  const auto found = std::ranges::find(types, name, &SubjectType::name);
  return found == types.end() ? nullptr : &*found;
}

std::string fill_in(std::string pattern, std::string_view subject, std::string_view question) {
  for (const auto& [key, value] : {std::pair{"{X}", subject}, std::pair{"{q}", question}})
    for (size_t at = 0; (at = pattern.find(key, at)) != pattern.npos; at += value.size())
      pattern.replace(at, 3, value);
  if (!pattern.empty() && subject.starts_with("the ") && pattern.starts_with("the "))
    pattern[0] = 'T';
  return pattern;
}

std::string guess_subject(std::string_view question) {
  static const RE2 kQuoted(R"re(["“„']([^"“”']{2,60})["“”'])re");
  static const RE2 kAfter(R"(.*\b(?:of|for|in|about|is|are|was|does|do) (.+?)\s*\??)");
  re2::StringPiece found;
  std::string guess;
  if (RE2::PartialMatch(question, kQuoted, &found))
    guess = trimmed({found.data(), found.size()});
  else if (guess = last_name(question); guess.empty() && RE2::FullMatch(question, kAfter, &found))
    guess = trimmed({found.data(), found.size()});
  return guess.size() > kMaxGuess ? std::string() : guess;
}

}  // namespace expunge::agent
