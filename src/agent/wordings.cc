#include "agent/wordings.h"

#include <algorithm>

#include "base/hash.h"

#include "tables/wordings.inc"  // kWordingsJson, made by the build from data/wordings.json

namespace expunge::agent {
namespace {

using base::Json;

std::vector<std::string> list(const Json& json, const char* key) {
  return json.value(key, std::vector<std::string>());
}

std::string trimmed(std::string text) {
  const auto strip = [](unsigned char c) {
    return std::isspace(c) || c == '?' || c == '.' || c == '"';
  };
  while (!text.empty() && strip(static_cast<unsigned char>(text.back()))) text.pop_back();
  while (!text.empty() && strip(static_cast<unsigned char>(text.front()))) text.erase(text.begin());
  return text;
}

// The longest quoted text, else the last run of capitalised words that does not open the sentence,
// else what follows the last "of", "for", "in" or "about".
std::string guess_subject(const std::string& question) {
  static const std::regex kQuoted(R"re(["“']([^"”']{2,60})["”'])re");
  static const std::regex kCapitals(
      R"(\b(?:the )?[A-Z][\w.'-]*(?: (?:of|the|and|de|von|van|der|[A-Z][\w.'-]*))*\b)");
  static const std::regex kAfter(R"(.*\b(?:of|for|in|about|is|are|was|does|do) (.+?)\s*\??$)");
  std::smatch found;
  if (std::regex_search(question, found, kQuoted)) return trimmed(found[1]);
  std::string best;
  for (auto it = std::sregex_iterator(question.begin(), question.end(), kCapitals);
       it != std::sregex_iterator(); ++it) {
    static const std::regex kOpener(
        R"(^(?:What|Who|Where|When|Which|Why|How|In|On|Is|Are|Was|Were|Did|Does|Do|Can|Could|Tell|Name|Give|The|At|Please|I|My|For|Of)\b\s*)");
    const std::string candidate =
        it->position() == 0 ? std::regex_replace(it->str(), kOpener, "") : it->str();
    if (!candidate.empty() && std::isupper(static_cast<unsigned char>(
                                  candidate.starts_with("the ") ? candidate[4] : candidate[0])))
      best = candidate;
  }
  if (best.ends_with("'s")) best.resize(best.size() - 2);
  if (!best.empty()) return trimmed(best);
  return std::regex_match(question, found, kAfter) ? trimmed(found[1]) : std::string();
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
  Wordings w;
  w.wrappers = list(json, "wrappers");
  w.subject_first = list(json, "subject_first");
  w.prefills = list(json, "prefills");
  w.subject_questions = list(json, "subject_questions");
  w.subject_questions_first = list(json, "subject_questions_first");
  w.unrelated = list(json, "unrelated");
  w.prose = list(json, "prose");
  w.held_prose = list(json, "held_prose");
  w.hash = base::sha256_hex(text);
  for (const auto& [name, t] : json["types"].items())
    w.types.push_back({name, list(t, "entities"), list(t, "other"), list(t, "other_first")});
  for (const auto& [name, r] : json["relations"].items()) {
    Relation relation{
        name, r.value("type", ""), {}, list(r, "questions"), list(r, "first"), list(r, "prefills")};
    for (const std::string& pattern : list(r, "match"))
      relation.match.emplace_back(pattern, std::regex::icase);
    w.relations.push_back(std::move(relation));
  }
  return w;
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

Reading read_question(const Wordings& wordings, const std::string& question) {
  Reading reading;
  for (const Relation& relation : wordings.relations)
    for (const std::regex& pattern : relation.match) {
      std::smatch found;
      if (!std::regex_search(question, found, pattern)) continue;
      const std::string subject = trimmed(found[1]);
      if (subject.empty() || subject.size() > 60) continue;
      return {&relation, subject};
    }
  reading.subject = guess_subject(question);
  return reading;
}

}  // namespace expunge::agent
