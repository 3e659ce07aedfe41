#include "agent/watchdog_spans.h"

#include <algorithm>
#include <array>

#include "agent/watchdog_clause.h"

namespace expunge::agent {

bool has_digit(std::string_view text) {
  return std::ranges::any_of(text, [](unsigned char c) { return std::isdigit(c); });
}

Language language_of(std::span<const Word> words) {
  static const std::array<WordSet, 5> kMarks = {
      WordSet{"the", "is", "what", "you", "that", "to", "of", "and", "my", "your", "a", "was",
              "it"},
      WordSet{"der",   "die",    "das", "ist", "und", "bitte", "dass",    "mein",
              "meine", "meinen", "du",  "was", "wie", "nicht", "vergiss", "lösche",
              "ich",   "von",    "sie", "für", "wo",  "wer",   "über"},
      WordSet{"el", "la", "los", "que", "es", "de", "mi", "por", "favor", "olvida", "borra", "tu",
              "en", "qué", "cuál", "lo", "quiero", "no", "sobre"},
      WordSet{"le",     "la",  "les", "que", "est", "de",   "mon", "ma", "tu", "je",   "oublie",
              "efface", "sur", "du",  "des", "ce",  "vous", "qui", "l",  "d",  "plaît"},
      {}};
  std::array<size_t, 5> seen{};
  for (const Word& w : words) {
    if (static_cast<unsigned char>(w.text[0]) >= 0xE3 && !w.breaks) ++seen[4];
    for (size_t l = 0; l < 4; ++l) seen[l] += kMarks[l].contains(w.text);
  }
  if (seen[4] * 2 > words.size()) return Language::kZh;
  return static_cast<Language>(std::ranges::max_element(seen.begin(), seen.begin() + 4) -
                               seen.begin());
}

bool is_function_word(std::string_view word) {
  static const WordSet kWords = {
      "the",    "a",      "an",   "of",   "in",   "on",   "at",   "to",    "for",    "by",
      "is",     "are",    "was",  "were", "be",   "it",   "its",  "it's",  "that",   "this",
      "these",  "those",  "and",  "or",   "but",  "so",   "you",  "your",  "i",      "my",
      "me",     "we",     "our",  "he",   "she",  "his",  "her",  "they",  "their",  "does",
      "do",     "did",    "has",  "have", "had",  "what", "who",  "where", "when",   "which",
      "how",    "why",    "with", "from", "as",   "not",  "no",   "yes",   "please", "can",
      "there",  "about",  "one",  "any",  "all",  "than", "just", "der",   "die",    "das",
      "ist",    "von",    "el",   "la",   "de",   "es",   "le",   "les",   "est",    "du",
      "un",     "une",    "l",    "d",    "c",    "la",   "的",   "是",    "了",     "在",
      ",",      ".",      "?",    "!",    ":",    ";",    "-",    "(",     ")",      "forget",
      "answer", "memory", "said", "told", "know", "out",  "last", "again", "want"};
  return kWords.contains(word);
}

std::string what_is(const std::string& phrase, Language language) {
  switch (language) {
    case Language::kDe:
      return "Was ist " + phrase + "?";
    case Language::kEs:
      return "¿Cuál es " + phrase + "?";
    case Language::kFr:
      return "Quel est " + phrase + " ?";
    case Language::kZh:
      return phrase + "是什么？";
    case Language::kEn:
      break;
  }
  return "What is " + phrase + "?";
}

std::string what_do_you_know(const std::string& subject, Language language) {
  if (subject.empty()) return "What do you know?";
  switch (language) {
    case Language::kDe:
      return "Was weißt du über " + subject + "?";
    case Language::kEs:
      return "¿Qué sabes de " + subject + "?";
    case Language::kFr:
      return "Que sais-tu sur " + subject + " ?";
    case Language::kZh:
      return "关于" + subject + "你知道什么？";
    case Language::kEn:
      break;
  }
  return "What do you know about " + subject + "?";
}

std::string answer_span(std::string_view question, std::string_view answer) {
  const auto words = words_of(answer);
  WordSet asked;
  for (const Word& w : words_of(question)) asked.insert(w.text);
  if (language_of(words) ==
      Language::kZh) {  // after the last character that is also in the question
    size_t from = 0, to = 0;
    while (to < words.size() && !words[to].breaks && words[to].text != ",") ++to;
    for (size_t i = 0; i < to; ++i)
      if (asked.contains(words[i].text) || any_of(words[i].text, {"是", "在", "叫"})) from = i + 1;
    return from < to ? unquoted(slice(answer, words, from, to)) : slice(answer, words, 0, to);
  }
  // Runs of words that the question lacks, within the first two sentences.
  struct Run {
    size_t begin, end;
    int score;
  };
  std::vector<Run> runs;
  const bool number = std::ranges::any_of(asked, [](const std::string& w) {
    return any_of(w, {"many",        "much",   "when", "year", "long",    "far",   "old",
                      "temperature", "number", "date", "code", "high",    "tall",  "pin",
                      "earn",        "cost",   "time", "wann", "combien", "cuándo"});
  });
  size_t sentences = 0;
  for (size_t i = 0; i < words.size() && sentences < 2;) {
    if (words[i].breaks) {
      ++sentences, ++i;
      continue;
    }
    size_t end = i;
    while (end < words.size() && !words[end].breaks && words[end].text != "," &&
           words[end].text != ":" && !asked.contains(words[end].text) &&
           !(is_copula(words[end].text)))
      ++end;
    size_t a = i, b = end;
    while (a < b && (is_function_word(words[a].text) && !is_upper(answer, words[a]))) ++a;
    while (b > a && is_function_word(words[b - 1].text)) --b;
    while (a < b && any_of(words[a].text, {"At", "In", "It", "The", "at", "in", "it", "the", "on"}))
      ++a;
    if (a < b) {
      const std::string text = slice(answer, words, a, b);
      int score =
          4 - static_cast<int>(2 * sentences) + (i > 0 && is_copula(words[i - 1].text) ? 3 : 0);
      score += number && has_digit(text) ? 4 : 0;
      score += !number && is_upper(answer, words[b - 1]) ? 1 : 0;
      score -= any_of(words[a].text, {"yes", "no", "well", "sure", "of", "you", "noted", "usually"})
                   ? 3
                   : 0;
      // "is located in Moscow" where the question has "in": nothing new is said yet.
      score -= any_of(words[b - 1].text, {"located", "actually", "uses", "produced", "referred"})
                   ? 4
                   : 0;
      runs.push_back({a, b, score});
    }
    i = std::max(end, i + 1) + (end < words.size() && end > i && !words[end].breaks ? 1 : 0);
  }
  if (runs.empty()) return unquoted(answer.substr(0, answer.find('.')));
  const auto best = std::ranges::max_element(runs, {}, &Run::score);
  // "written by Ursula K. Le Guin", "takes place on 9 July": the answer comes after the
  // preposition.
  size_t begin = best->begin;
  for (size_t i = begin + 1; i + 1 < best->end && i < begin + 3; ++i)
    if (any_of(words[i].text, {"by", "called", "named", "on", "in", "at"}) &&
        (is_upper(answer, words[i + 1]) || has_digit(words[i + 1].text)) &&
        !is_upper(answer, words[begin]) && !has_digit(words[begin].text))
      begin = i + 1;
  return unquoted(slice(answer, words, begin, best->end));
}

std::string part_about(std::string_view message, std::string_view answer) {
  const auto words = words_of(message);
  for (size_t i = 0; i + 2 < words.size(); ++i) {
    if (!any_of(words[i].text, {"bit", "part", "line", "piece", "detail", "thing"}) ||
        !any_of(words[i + 1].text, {"about", "with", "on", "where"}))
      continue;
    size_t k = i + 2;
    while (k + 1 < words.size() && is_function_word(words[k].text)) ++k;
    const std::string stem = words[k].text.substr(0, std::max<size_t>(4, words[k].text.size() - 2));
    const auto parts = words_of(answer);
    for (size_t a = 0; a < parts.size(); ++a) {
      if (!parts[a].text.starts_with(stem)) continue;
      size_t end = a + 1;
      while (end < parts.size() && !is_mark(parts[end])) ++end;
      size_t begin = a + 1;
      while (begin < end && is_function_word(parts[begin].text)) ++begin;
      if (begin < end) return slice(answer, parts, begin, end);
    }
  }
  return {};
}

std::string topic_of(std::span<const Word> w, std::string_view m) {
  for (size_t i = 0; i + 1 < w.size(); ++i) {
    const bool zh = w[i].text == "关" && w[i + 1].text == "于";
    if (!zh && !any_of(w[i].text, {"about", "über", "sobre", "sur", "concerning", "regarding",
                                   "discuss", "topic", "knowledge", "concernant", "concerns",
                                   "regards", "ignorant", "savoir"}))
      continue;
    size_t a = i + 1 + zh, b = a;
    if (a < w.size() && any_of(w[a].text, {"of", "is", ":", "called"})) b = ++a;
    while (b < w.size() && !is_mark(w[b]) && b < a + 9 &&
           !any_of(w[b].text,
                   {"from", "out", "please", "has", "should", "must", "for", "is", "because",
                    "anymore", "at", "的", "completely", "so", "to", "and", "but", "bitte"}))
      ++b;
    const std::string subject = unquoted(slice(m, w, a, b));
    if (!subject.empty() &&
        !any_of(subject, {"it", "that", "this", "me", "him", "her", "them", "what"}))
      return subject;
  }
  return {};
}

std::string object_of_order(std::span<const Word> w, std::string_view m) {
  const Cues& cues = Cues::builtin();
  for (const std::string_view cue : {"forget_any", "erase_any"}) {
    const auto verb = cues.find(cue, w);
    if (!verb) continue;
    size_t a = verb.end, b = a;
    while (b < w.size() && !is_mark(w[b]) && b < a + 9 &&
           !any_of(w[b].text, {"from", "out", "please", "because", "for", "bitte", "por"}))
      ++b;
    const std::string object = unquoted(slice(m, w, a, b));
    if (!object.empty() && !any_of(object, {"it", "that", "this", "them"})) return object;
  }
  return {};
}

std::vector<OwnNoun> own_nouns(std::span<const Word> w, std::string_view m) {
  std::vector<OwnNoun> found;
  for (size_t i = 0; i + 1 < w.size(); ++i) {
    const bool zh = w[i].text == "我" && w[i + 1].text == "的";
    if (!zh && !any_of(w[i].text, {"my", "our", "mein", "meine", "meinen", "meiner", "mi", "mis",
                                   "mon", "ma", "mes"}))
      continue;
    size_t b = i + 1 + zh;
    const size_t a = b;
    while (b < w.size() && !is_mark(w[b]) && b < a + (zh ? 6 : 4) &&
           (!is_function_word(w[b].text) || b == a || (w[b].text == "of" && b + 1 < w.size())) &&
           !any_of(w[b].text,
                   {"from",   "into",  "lives", "told",   "and",  "chatted", "that", "gave",
                    "不",     "应",    "忘",    "删",     "y",    "et",      "und",  "<quote>",
                    "wieder", "bitte", "has",   "should", "must", "anymore"}))
      ++b;
    if (b == a) continue;
    static const std::map<std::string, std::string, std::less<>> kSpelled = {
        {"bday", "birthday"},    {"ssn", "social security number"}, {"adress", "address"},
        {"addy", "address"},     {"pasword", "password"},           {"pw", "password"},
        {"tel", "phone number"}, {"dob", "date of birth"}};
    std::string noun = slice(m, w, a, b);
    if (const auto spelled = kSpelled.find(noun); spelled != kSpelled.end()) noun = spelled->second;
    found.push_back({slice(m, w, i, a) + (zh ? "" : " ") + noun, noun, w[b - 1].end});
    if (any_of(w[a].text, {"daughter", "son", "colleague", "boss", "friend", "memory", "brother",
                           "kid", "ex", "players", "lawyer"}))
      found.pop_back();
  }
  return found;
}

std::vector<Value> values_in(std::string_view m) {
  std::vector<Value> values;
  const auto w = words_of(m);
  for (size_t i = 0; i < w.size();) {
    const bool start = i == 0 || w[i - 1].breaks;
    const bool quote = w[i].text == "<quote>" || w[i].text == "<code>";
    const bool number = has_digit(w[i].text);
    const bool name = is_upper(m, w[i]) && !(start && is_function_word(w[i].text)) &&
                      w[i].text != "i" && !w[i].text.starts_with("i'") && !w[i].breaks;
    if (!quote && !number && (!name || (start && !(i + 1 < w.size() && is_upper(m, w[i + 1]))))) {
      ++i;
      continue;
    }
    size_t b = i + 1;
    if (!quote)
      while (b < w.size() && !is_mark(w[b]) &&
             (has_digit(w[b].text) || is_upper(m, w[b]) ||
              (any_of(w[b].text, {"of", "the", "de", "von", "&", "+"}) && b + 1 < w.size() &&
               is_upper(m, w[b + 1]))))
        ++b;
    if (number && b < w.size() && !is_mark(w[b]) && !is_function_word(w[b].text) &&
        w[b].text.size() < 12)
      ++b;
    Value v{unquoted(slice(m, w, i, b)), false, false};
    for (size_t k = i; k-- > 0 && k + 5 > i && !w[k].breaks;) {
      v.affirmed |=
          any_of(w[k].text, {"it's", "is", "be", "was", "are", "were", "to", "but", "actually",
                             "es", "est", "ist", "sino", "sondern", "是", "成", "opens", "at"});
      v.denied |= any_of(w[k].text, {"not", "isn't", "wasn't", "said", "say", "saying", "claim",
                                     "think", "that", "nicht", "no", "pas", "of", "from"});
    }
    values.push_back(std::move(v));
    i = b;
  }
  return values;
}

std::string value_after(std::string_view m, size_t begin) {
  const auto values = values_in(m.substr(std::min(begin, m.size())));
  return values.empty() ? std::string() : values[0].text;
}

std::string value_near(std::string_view m, std::string_view noun) {
  const size_t blank = noun.rfind(' ');
  const std::string_view head = blank == noun.npos ? noun : noun.substr(blank + 1);
  const size_t at = m.find(head);
  return at == m.npos ? std::string() : value_after(m, at + head.size());
}

std::vector<Labelled> labelled_values(std::string_view m) {
  std::vector<Labelled> all;
  const auto w = words_of(m);
  for (size_t i = 1; i < w.size(); ++i) {
    if (!has_digit(w[i].text) && w[i].text != "<quote>") continue;
    size_t a = i;
    while (a > 0 && any_of(w[a - 1].text, {"is", "are", ":", "=", "-"})) --a;
    if (a > 0 && !is_mark(w[a - 1]))
      all.push_back({w[a - 1].text, unquoted(slice(m, w, i, i + 1))});
  }
  return all;
}

}  // namespace expunge::agent
