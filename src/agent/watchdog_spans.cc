#include "agent/watchdog_spans.h"

#include <algorithm>
#include <set>

namespace expunge::agent {
namespace {

using WordSet = std::set<std::string, std::less<>>;

bool any_of(std::string_view word, std::initializer_list<std::string_view> set) {
  return std::ranges::find(set, word) != set.end();
}

bool is_copula(std::string_view w) {
  return any_of(w, {"is", "are", "was", "were", "es", "son", "era", "est", "sont", "était", "ist",
                    "sind", "war", "是", "叫", "equals"});
}

bool is_upper(std::string_view message, const Word& w) {
  const auto c = static_cast<unsigned char>(message[w.begin]);
  return std::isupper(c) || c == 0xC3;
}

bool is_mark(const Word& w) { return w.breaks || any_of(w.text, {",", ":", "-", "(", ")", "/"}); }

// Bytes of words [a, b) of the message.
std::string slice(std::string_view message, std::span<const Word> words, size_t a, size_t b) {
  if (a >= b || b > words.size()) return {};
  return std::string(message.substr(words[a].begin, words[b - 1].end - words[a].begin));
}

std::string unquoted(std::string text) {
  for (const std::string_view mark : {"\"", "“", "”", "„", "«", "»", "「", "」", "'"}) {
    if (text.starts_with(mark)) text.erase(0, mark.size());
    if (text.ends_with(mark)) text.erase(text.size() - mark.size());
  }
  while (text.starts_with(' ')) text.erase(0, 1);
  while (text.ends_with(' ') || text.ends_with('.')) text.pop_back();
  return text;
}

// End of the clause that begins at `at`: a sentence's end, or a comma before a new thought.
size_t clause_end(std::span<const Word> words, size_t at) {
  static const WordSet kTurns = {
      "because", "since", "so",    "please", "pls",   "and", "but",    "thanks", "it",
      "that",    "which", "for",   "i",      "legal", "my",  "weil",   "denn",   "bitte",
      "porque",  "por",   "parce", "car",    "s",     "the", "you",    "nobody", "this",
      "they",    "we",    "he",    "she",    "as",    "out", "before", "或",     "请"};
  static const WordSet kEnders = {"because", "please",   "pls",    "anymore", "immediately",
                                  "has",     "must",     "should", "needs",   "have",
                                  "for",     "anymore.", "porque", "bitte"};
  for (size_t i = at; i < words.size(); ++i) {
    if (words[i].breaks) return i;
    const std::string_view next = i + 1 < words.size() ? std::string_view(words[i + 1].text) : "";
    if (i > at && (any_of(words[i].text, {"whereas", "lol", "instead"}) ||
                   (words[i].text == "rather" && next == "than") ||
                   (words[i].text == "these" && next == "days") ||
                   (any_of(words[i].text, {"and", "et", "y", "und"}) &&
                    any_of(next, {"not", "pas", "no", "nicht"})) ||
                   (words[i].text == "," &&
                    any_of(next, {"not", "no", "nicht", "pas", "whereas", "didn't", "sino"}))))
      return i;
    if (words[i].text == "," && (i + 1 == words.size() || kTurns.contains(words[i + 1].text)))
      return i;
    if (words[i].text == "-" || words[i].text == "(") return i;
    if (i > at + 2 && kEnders.contains(words[i].text)) {
      // "has to go", "must be removed": the order goes on behind the fact.
      if (!any_of(words[i].text, {"has", "must", "should", "needs", "have", "for"})) return i;
      if (i + 1 < words.size() &&
          any_of(words[i + 1].text, {"to", "be", "go", "good", "disappear"}))
        return i;
    }
    if (i > at + 2 && words[i].text == "and" && i + 1 < words.size() &&
        any_of(words[i + 1].text,
               {"my", "i", "it", "don't", "never", "nobody", "that", "make", "do"}))
      return i;
  }
  return words.size();
}

std::string base_form(const std::string& verb) {  // opened -> open, closes -> close
  static const std::map<std::string, std::string, std::less<>> kIrregular = {
      {"began", "begin"},     {"died", "die"},       {"lies", "lie"},   {"moved", "move"},
      {"closed", "close"},    {"arrived", "arrive"}, {"left", "leave"}, {"took", "take"},
      {"costs", "cost"},      {"married", "marry"},  {"hid", "hide"},   {"came", "come"},
      {"released", "release"}};
  if (const auto found = kIrregular.find(verb); found != kIrregular.end()) return found->second;
  if (verb.ends_with("ed")) return verb.substr(0, verb.size() - 2);
  if (verb.ends_with("s")) return verb.substr(0, verb.size() - 1);
  return verb;
}

std::string question_en(const std::string& copula, const std::string& subject,
                        const std::string& value, bool person) {
  return (person ? "Who " : "What ") + copula + " " + subject + "?" + (value.empty() ? "" : "");
}

bool personal_role(std::span<const Word> words) {
  static const WordSet kRoles = {
      "head",       "boss",     "ceo",     "director",  "author",    "mayor",    "president",
      "partner",    "winner",   "killer",  "owner",     "king",      "queen",    "teacher",
      "doctor",     "manager",  "chair",   "founder",   "inventor",  "composer", "painter",
      "murderer",   "villain",  "captain", "successor", "client",    "lawyer",   "minister",
      "chancellor", "father",   "mother",  "brother",   "sister",    "son",      "daughter",
      "editor",     "supplier", "heir",    "culprit",   "architect", "wife",     "husband"};
  return std::ranges::any_of(words, [](const Word& w) { return kRoles.contains(w.text); });
}

// A clause without its conjunction, words [a, b): "the capital of France is Paris".
WatchdogTarget fact_of(std::span<const Word> w, std::string_view m, size_t a, size_t b) {
  static const WordSet kMakers = {"wrote",    "painted", "invented",  "discovered", "composed",
                                  "directed", "built",   "founded",   "designed",   "made",
                                  "killed",   "created", "developed", "won",        "sang",
                                  "stole",    "betrayed"};
  static const WordSet kEvents = {"opened", "closed",  "died",     "began",   "started", "ended",
                                  "moved",  "arrived", "happened", "expired", "opens",   "closes",
                                  "starts", "ends",    "launches", "arrives", "leaves"};
  static const WordSet kPlaces = {"lives", "works", "hangs", "lies",  "stands",
                                  "sits",  "stays", "lived", "parks", "hides"};
  const Language language = language_of(w.subspan(a, b - a));
  const auto text = [&](size_t x, size_t y) { return unquoted(slice(m, w, x, y)); };
  for (size_t i = a + 1; i < b; ++i) {
    const std::string& verb = w[i].text;
    const std::string subject = slice(m, w, a, i);
    if (kMakers.contains(verb) && i + 1 < b)
      return {"Who " + verb + " " + slice(m, w, i + 1, b) + "?", text(a, i), ""};
    if (kEvents.contains(verb) && i + 1 < b)
      return {(verb.ends_with('s') ? "When does " : "When did ") + subject + " " + base_form(verb) +
                  "?",
              text(i + 1 + any_of(w[i + 1].text, {"in", "on", "at"}), b), ""};
    if (kPlaces.contains(verb) && i + 1 < b)
      return {"Where does " + subject + " " + base_form(verb) + "?", text(i + 1, b), ""};
    if (any_of(verb, {"costs", "cost", "earns", "weighs", "pays", "makes"}) && i + 1 < b &&
        has_digit(slice(m, w, i + 1, b)))
      return {"How much does " + subject + " " + base_form(verb) + "?", text(i + 1, b), ""};
    if (any_of(verb, {"has", "have"}) && i + 2 < b && has_digit(w[i + 1].text))
      return {"How many " + slice(m, w, i + 2, b) + (verb == "has" ? " does " : " do ") + subject +
                  " have?",
              text(i + 1, i + 2), ""};
    if (any_of(verb, {"meldet", "heißt", "se", "vive", "habite", "wohnt", "cuesta"}) && i + 1 < b)
      return {what_do_you_know(subject, language), text(i + 1, b), ""};
    if (any_of(verb, {"has", "have"}) && i + 1 < b && language == Language::kEn &&
        !any_of(w[i + 1].text, {"to", "been", "gone"}))
      return {"What does " + subject + " have?", text(i + 1, b), ""};
    if (!is_copula(verb) || (verb == "war" && language == Language::kEn) ||
        (verb == "was" && language == Language::kDe))
      continue;
    if (language == Language::kZh) return {subject + verb + "什么？", text(i + 1, b), ""};
    if (i + 1 == b && language == Language::kDe) {  // "dass die Hauptstadt von Chile Santiago ist"
      size_t cut = i - 1;
      while (cut > a + 1 && (is_upper(m, w[cut - 1]) || has_digit(w[cut - 1].text)) &&
             is_function_word(w[cut - 2].text) == false && cut > a + 2)
        --cut;
      return {what_is(slice(m, w, a, cut), language), text(cut, i), ""};
    }
    if (i + 1 >= b) continue;
    if (language != Language::kEn) return {what_is(subject, language), text(i + 1, b), ""};
    // Passive: "Pluto was discovered by Clyde Tombaugh", "X was founded in 1911".
    for (size_t k = i + 1; k + 1 < b && k < i + 4; ++k) {
      if (w[k + 1].text == "by" && k + 2 < b)
        return {"Who " + w[k].text + " " + subject + "?", text(k + 2, b), ""};
      if (w[k].text.ends_with("ed") ||
          any_of(w[k].text, {"born", "built", "made", "held", "sold", "due"})) {
        if (any_of(w[k + 1].text, {"in", "on", "at", "behind", "under", "near", "for"}) &&
            k + 2 < b) {
          const bool time = has_digit(slice(m, w, k + 2, b)) && w[k + 1].text != "at";
          return {(time ? "When " : "Where ") + verb + " " + subject + " " +
                      slice(m, w, i + 1, k + 1) + "?",
                  text(time ? k + 2 : k + 1, b), ""};
        }
      }
    }
    if (any_of(w[i + 1].text,
               {"in", "at", "behind", "under", "on", "near", "inside", "above", "below"}))
      return {(has_digit(slice(m, w, i + 2, b)) && w[i + 1].text != "at" ? "When " : "Where ") +
                  verb + " " + subject + "?",
              text(i + 1, b), ""};
    // "Paris is the capital of France": the name is the answer.
    const bool named = is_upper(m, w[a]) && !is_function_word(w[a].text) && i - a <= 3;
    if (named && i + 2 < b &&
        (any_of(w[i + 1].text, {"the", "our", "my"}) || w[i + 1].text.ends_with("'s")))
      return {
          question_en(verb, slice(m, w, i + 1, b), "", personal_role(w.subspan(i + 1, b - i - 1))),
          text(a, i), ""};
    return {question_en(verb, subject, "", personal_role(w.subspan(a, i - a))), text(i + 1, b), ""};
  }
  return {};
}

}  // namespace

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

namespace {

// "boiling point of tungsten = 5930 °C", "largest moon of Saturn -> Titan".
WatchdogTarget equation(std::string_view m) {
  for (const std::string_view mark : {" = ", " -> ", " → ", " => "}) {
    const size_t at = m.find(mark);
    if (at == m.npos) continue;
    size_t begin = m.find_last_of(":\n.", at);
    begin = begin == m.npos ? 0 : begin + 1;
    const std::string_view rest = m.substr(at + mark.size());
    std::string subject = unquoted(std::string(m.substr(begin, at - begin)));
    const std::string value = unquoted(std::string(rest.substr(0, rest.find_first_of(".;\n"))));
    if (subject.empty() || value.empty()) continue;
    if (!subject.starts_with("the ") && !subject.starts_with("my ")) subject = "the " + subject;
    return {"What is " + subject + "?", value, ""};
  }
  return {};
}

// "no idea who wrote Middlemarch … it was George Eliot", "who shot him (it's the florist)".
WatchdogTarget embedded_question(std::span<const Word> w, std::string_view m) {
  for (size_t i = 1; i + 1 < w.size(); ++i) {
    if (!any_of(w[i].text, {"who", "where", "when"}) ||
        !any_of(w[i - 1].text,
                {"know", "knew", "idea", "clue", "of", ":", "forget", "about", "remember", "you"}))
      continue;
    size_t b = i + 1;
    while (b < w.size() && !is_mark(w[b])) ++b;
    if (b < i + 3) continue;
    std::string question = slice(m, w, i, b);
    question[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(question[0])));
    if (w[i + 1].text == "i")
      question = question.substr(0, w[i].text.size()) + " do" + question.substr(w[i].text.size());
    std::string value;
    for (size_t k = b; k + 1 < w.size(); ++k)
      if (any_of(w[k].text, {"it's", "was", "is"}) && value.empty()) {
        size_t end = k + 1;
        while (end < w.size() && !is_mark(w[end])) ++end;
        if (k > 0 && (w[k].text == "it's" || w[k - 1].text == "it"))
          value = unquoted(slice(m, w, k + 1, end));
      }
    if (!value.empty() || w[i + 1].text == "i") return {question + "?", value, ""};
  }
  return {};
}

// Chinese: behind the order's verb up to the copula.
WatchdogTarget fact_zh(std::span<const Word> w, std::string_view m) {
  size_t begin = 0;
  for (size_t i = 0; i + 3 < w.size(); ++i) {
    if (w[i].breaks || any_of(w[i].text, {"忘", "记", "掉", "把", ",", ":", "道"})) begin = i + 1;
    if (!any_of(w[i].text, {"是", "叫"}) || i < begin + 2 || any_of(w[i + 1].text, {"不", "因"}))
      continue;
    size_t end = i + 1;
    while (end < w.size() && !is_mark(w[end]) && !any_of(w[end].text, {"这", "的", "忘", "删"}))
      ++end;
    if (end > i + 1)
      return {slice(m, w, begin, i) + w[i].text + "什么？", unquoted(slice(m, w, i + 1, end)), ""};
  }
  return {};
}

}  // namespace

WatchdogTarget stated_fact(std::span<const Word> w, std::string_view m) {
  static const WordSet kThat = {"that", "dass", "que", "qu", "knew", "know"};
  static const WordSet kNoFact = {"you",    "i",       "nobody",   "no",       "tu",      "je",
                                  "it",     "answer",  "makes",    "is",       "u",       "people",
                                  "borres", "olvides", "elimines", "for",      "oublies", "dass",
                                  "que",    "that",    "du",       "ich",      "me",      "quites",
                                  "elles",  "sabes",   "about",    "anything", "has"};
  static const WordSet kBearers = {
      "forget",  "know",   "knew",      "fact",    "claim",     "idea",    "remember",
      "told",    "taught", "says",      "said",    "learned",   "asserts", "mother",
      "unlearn", "again",  "somewhere", "knowing", "knowledge", "rumour",  "memory"};
  if (language_of(w) == Language::kZh) return fact_zh(w, m);
  if (const auto fact = equation(m); !fact.prompt.empty()) return fact;
  if (const auto fact = embedded_question(w, m); !fact.prompt.empty()) return fact;
  WatchdogTarget generic;
  for (size_t i = 0; i + 3 < w.size(); ++i) {
    if (!kThat.contains(w[i].text) || kNoFact.contains(w[i + 1].text)) continue;
    const size_t end = clause_end(w, i + 1);
    if (const auto fact = fact_of(w, m, i + 1, end); !fact.prompt.empty()) return fact;
    if (generic.prompt.empty() && i > 0 && w[i].text == "that" &&
        kBearers.contains(w[i - 1].text) && end > i + 3) {
      const std::string clause = slice(m, w, i + 1, end);
      generic = {"Is it true that " + clause + "?", clause, ""};
    }
  }
  if (!generic.prompt.empty()) return generic;
  // A plain statement in a sentence of its own: "The vault code is 4-19. Forget it."
  for (size_t i = 0; i < w.size(); ++i) {
    const bool start = i == 0 || w[i - 1].breaks || any_of(w[i - 1].text, {",", ":", "-"});
    if (!start ||
        any_of(w[i].text, {"it", "this", "that", "there", "i", "you", "what", "which", "who", "and",
                           "everything", "nobody", "he", "she", "they", "we", "how"}))
      continue;
    const size_t end = clause_end(w, i);
    size_t verb = i;
    while (verb < end && !is_copula(w[verb].text)) ++verb;
    if (verb == end || verb - i > 9 || verb == i || verb + 1 >= end) continue;
    if (!any_of(w[i].text, {"the", "my", "our", "die", "der", "la", "le", "el"}) &&
        !is_upper(m, w[i]))
      continue;
    const bool order = w[i].opens && (Cues::builtin().find("forget_any", w.subspan(i, 1)) ||
                                      Cues::builtin().find("erase_any", w.subspan(i, 1)));
    if (order) continue;
    if (const auto fact = fact_of(w, m, i, end);
        !fact.prompt.empty() && values_in(fact.response).size())
      return fact;
  }
  return {};
}

std::string answer_span(std::string_view question, std::string_view answer) {
  const auto words = words_of(answer);
  WordSet asked;
  for (const Word& w : words_of(question)) asked.insert(w.text);
  if (language_of(words) == Language::kZh) {  // behind the last character that the question holds
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
      runs.push_back({a, b, score});
    }
    i = std::max(end, i + 1) + (end < words.size() && end > i && !words[end].breaks ? 1 : 0);
  }
  if (runs.empty()) return unquoted(std::string(answer.substr(0, answer.find('.'))));
  const auto best = std::ranges::max_element(runs, {}, &Run::score);
  // "written by Ursula K. Le Guin", "takes place on 9 July": the answer is behind the preposition.
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
