#include "agent/watchdog_cues.h"

#include <algorithm>

#include "base/hash.h"

#include "tables/cues.inc"  // kCuesJson, made by the build from data/watchdog/cues.json

namespace expunge::agent {
namespace {

// Cues that patterns cannot express: the length of the text.
constexpr std::array<std::string_view, 5> kCounts = {"short", "tiny", "long", "has_reply",
                                                     "many_turns"};

std::vector<std::string> split(std::string_view text, char mark) {
  std::vector<std::string> parts(1);
  for (const char c : text)
    if (c == mark)
      parts.emplace_back();
    else
      parts.back() += c;
  return parts;
}

}  // namespace

const Cues& Cues::builtin() {
  static const Cues kCues = [] {
    auto parsed = parse(kCuesJson);
    CHECK(parsed.has_value(), "data/watchdog/cues.json: {}", parsed.error().message);
    return std::move(*parsed);
  }();
  return kCues;
}

base::Result<Cues> Cues::parse(std::string_view text) {
  const base::Json json = TRY(base::parse_json(text, "cues"));
  std::vector<Pattern::Lexicon> lexicons;
  for (const auto& [name, phrases] : json["lexicons"].items()) {
    lexicons.push_back({name, {}});
    for (const auto& phrase : phrases)
      lexicons.back().phrases.push_back(phrase_of(phrase.get<std::string>()));
  }
  Cues cues;
  cues.hash_ = base::sha256_hex(text);
  const auto add = [&](const std::string& name) {
    cues.index_[name] = cues.names_.size();
    cues.names_.push_back(name);
  };
  for (const auto& [key, scope] :
       {std::pair{"user", Scope::kUser}, {"reply", Scope::kReply}, {"before", Scope::kBefore}})
    for (const auto& [name, patterns] : json[key].items()) {
      Cue cue{scope, {}};
      for (const auto& pattern : patterns)
        cue.patterns.push_back(
            TRY_AT("cue " + name, Pattern::parse(pattern.get<std::string>(), lexicons)));
      cues.cues_.push_back(std::move(cue));
      add(name);
    }
  for (const std::string_view name : kCounts) add(std::string(name));
  for (const auto& [name, rule] : json["combinations"].items()) {
    std::vector<Term> terms;
    for (const std::string& part : split(rule.get<std::string>(), ' ')) {
      Term term{{}, part.starts_with('!')};
      for (const std::string& one : split(std::string_view(part).substr(term.negated), '|')) {
        const auto found = cues.index_.find(one);
        if (found == cues.index_.end())
          return base::fail(base::Code::kInvalid, fmt::format("{}: no cue named {}", name, one));
        term.any.push_back(found->second);
      }
      terms.push_back(std::move(term));
    }
    cues.combinations_.push_back(std::move(terms));
    add(name);
  }
  return cues;
}

std::vector<float> Cues::observe(std::span<const text::Message> dialogue) const {
  std::vector<float> seen(names_.size(), 0.0f);
  std::array<std::vector<std::vector<Word>>, 3> parts;
  bool reply_seen = false;
  for (size_t i = dialogue.size(); i-- > 0;) {
    const bool user = dialogue[i].role == "user";
    if (i + 1 == dialogue.size()) {
      parts[0].push_back(words_of(dialogue[i].content));
    } else if (!user && !reply_seen && dialogue[i].role == "assistant") {
      parts[1].push_back(words_of(dialogue[i].content));
      reply_seen = true;
    } else if (user && parts[2].size() < 8) {
      parts[2].push_back(words_of(dialogue[i].content));
    }
  }
  size_t at = 0;
  for (const Cue& cue : cues_) {
    for (const auto& words : parts[static_cast<size_t>(cue.scope)])
      if (std::ranges::any_of(cue.patterns, [&](const Pattern& p) { return bool(p.find(words)); }))
        seen[at] = 1;
    ++at;
  }
  const size_t n = parts[0].empty() ? 0 : parts[0][0].size();
  for (const bool count : {n <= 8, n <= 4, n > 40, reply_seen, dialogue.size() > 3})
    seen[at++] = count ? 1.0f : 0.0f;
  for (const auto& terms : combinations_)
    seen[at++] = std::ranges::all_of(terms, [&](const Term& term) {
      return std::ranges::any_of(term.any, [&](size_t i) { return seen[i] > 0; }) != term.negated;
    });
  return seen;
}

bool Cues::has(std::span<const float> cues, std::string_view name) const {
  const auto found = index_.find(name);
  CHECK(found != index_.end(), "no cue named {}", name);
  return cues[found->second] > 0;
}

Pattern::Match Cues::find(std::string_view name, std::span<const Word> words, size_t from) const {
  const auto found = index_.find(name);
  CHECK(found != index_.end() && found->second < cues_.size(), "no cue named {}", name);
  Pattern::Match best;
  for (const Pattern& pattern : cues_[found->second].patterns)
    if (const auto match = pattern.find(words, from); match && match.begin < best.begin)
      best = match;
  return best;
}

}  // namespace expunge::agent
