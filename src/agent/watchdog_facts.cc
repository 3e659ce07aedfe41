// Facts that a message states, as question and answer.
#include "agent/watchdog_clause.h"
#include "agent/watchdog_spans.h"

namespace expunge::agent {
namespace {

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
      // "has to go", "must be removed": the order continues after the fact.
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

std::string question_en(const std::string& copula, const std::string& subject, bool person) {
  return (person ? "Who " : "What ") + copula + " " + subject + "?";
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
      return {question_en(verb, slice(m, w, i + 1, b), personal_role(w.subspan(i + 1, b - i - 1))),
              text(a, i), ""};
    return {question_en(verb, subject, personal_role(w.subspan(a, i - a))), text(i + 1, b), ""};
  }
  return {};
}

// "boiling point of tungsten = 5930 °C", "largest moon of Saturn -> Titan".
WatchdogTarget equation(std::string_view m) {
  for (const std::string_view mark : {" = ", " -> ", " → ", " => "}) {
    const size_t at = m.find(mark);
    if (at == m.npos) continue;
    size_t begin = m.find_last_of(":\n.", at);
    begin = begin == m.npos ? 0 : begin + 1;
    const std::string_view rest = m.substr(at + mark.size());
    std::string subject = unquoted(m.substr(begin, at - begin));
    const std::string value = unquoted(rest.substr(0, rest.find_first_of(".;\n")));
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

// The words of an embedded question [q, b), "where Napoleon was born", in a question's order. ""
// for one that does not ask for a fact: "what you know", "where we met", "who I am".
std::string in_question_order(std::span<const Word> w, std::string_view m, size_t q, size_t b) {
  static const WordSet kTalkers = {
      "i",     "you", "we",     "he", "she", "it", "they", "this", "that", "there", "these",
      "those", "i'm", "you're", "to", "not", "me", "him",  "her",  "them", "ever",  "else"};
  if (q + 2 >= b || kTalkers.contains(w[q + 1].text)) return {};
  std::string question = slice(m, w, q, q + 1);
  question[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(question[0])));
  size_t copula = q + 1;
  while (copula < b && !is_copula(w[copula].text)) ++copula;
  const bool who = w[q].text == "who", place = any_of(w[q].text, {"where", "when"});
  // "who wrote Hamlet", "what is the capital": a question already.
  const bool verb = who && !is_function_word(w[q + 1].text) && !is_upper(m, w[q + 1]);
  if (copula == q + 1 || (verb && copula + 1 != b))
    return question + " " + slice(m, w, q + 1, b) + "?";
  if (copula >= b || (copula + 1 != b && !place)) return {};
  question += " " + slice(m, w, copula, copula + 1) + " " + slice(m, w, q + 1, copula);
  return question + (copula + 1 == b ? "?" : " " + slice(m, w, copula + 1, b) + "?");
}

// Chinese: from after the order's verb to the copula.
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

std::string asked_by_order(std::span<const Word> w, std::string_view m) {
  for (const std::string_view cue : {"forget_any", "erase_any"}) {
    const auto order = Cues::builtin().find(cue, w);
    size_t q = order ? order.end : w.size();
    while (q < w.size() && any_of(w[q].text, {"all", "everything", "about"})) ++q;
    if (q >= w.size() || !any_of(w[q].text, {"who", "what", "where", "when"})) continue;
    size_t b = q + 1;
    while (b < w.size() && !is_mark(w[b]) &&
           !any_of(w[b].text, {"please", "pls", "because", "anymore", "immediately", "forever"}) &&
           !(any_of(w[b].text, {"from", "for"}) && b + 1 < w.size() &&
             any_of(w[b + 1].text, {"your", "good", "me", "ever"})))
      ++b;
    if (std::string question = in_question_order(w, m, q, b); !question.empty()) return question;
  }
  return {};
}

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
  // A plain statement in a separate sentence: "The vault code is 4-19. Forget it."
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

}  // namespace expunge::agent
