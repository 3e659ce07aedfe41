// What exactly is to be forgotten or corrected: rules over the words of the dialogue.
//
// In this order: a fact stated in the message, the user's own data, a question that the order
// names, a turn pointed at, a topic. The response is the shortest span that carries the answer, ""
// if the dialogue does not contain it.
#include <algorithm>
#include <set>

#include "agent/watchdog.h"
#include "agent/watchdog_spans.h"

namespace expunge::agent {
namespace {

using Targets = std::vector<WatchdogTarget>;

struct Turn {
  std::string question, answer;
};

// The user's questions with the assistant's answers, oldest first, without the last message.
std::vector<Turn> turns_of(std::span<const text::Message> dialogue) {
  std::vector<Turn> turns;
  for (size_t i = 0; i + 2 < dialogue.size(); ++i)
    if (dialogue[i].role == "user" && dialogue[i + 1].role == "assistant")
      turns.push_back({dialogue[i].content, dialogue[i + 1].content});
  return turns;
}

bool is_question(const Turn& turn) {
  static const std::set<std::string, std::less<>> kAsking = {
      "what",   "who",   "where", "when",    "which", "how",   "why",  "is",     "are",    "does",
      "do",     "whats", "did",   "was",     "were",  "tell",  "name", "whose",  "what's", "who's",
      "and",    "can",   "wo",    "wer",     "was",   "wann",  "wie",  "welche", "qui",    "quel",
      "quelle", "où",    "quand", "combien", "qué",   "quién", "cuál", "cuándo", "dónde",  "cómo"};
  const auto words = words_of(turn.question);
  return !words.empty() && (turn.question.find('?') != std::string::npos ||
                            turn.question.find("？") != std::string::npos ||
                            kAsking.contains(words[0].text) || language_of(words) == Language::kZh);
}

double overlap(std::string_view message, const Turn& turn) {
  std::set<std::string> own;
  for (const Word& w : words_of(turn.question + " " + turn.answer))
    if (!is_function_word(w.text)) own.insert(w.text);
  double shared = 0;
  for (const Word& w : words_of(message))
    if (!is_function_word(w.text)) shared += own.contains(w.text);
  return shared;
}

std::string tidy_question(std::string q) {
  while (!q.empty() && std::isspace(static_cast<unsigned char>(q.back()))) q.pop_back();
  if (!q.empty() && q[0] >= 'a' && q[0] <= 'z') q[0] = static_cast<char>(q[0] - 32);
  const unsigned char last = q.empty() ? '?' : static_cast<unsigned char>(q.back());
  if (std::isalnum(last)) q += '?';
  return q;
}

WatchdogTarget target_of(const Turn& turn) {
  return {tidy_question(turn.question), answer_span(turn.question, turn.answer), ""};
}

// The turns that "that", "your last answer" or a repeated word point at.
Targets pointed_at(std::string_view message, const std::vector<Turn>& all) {
  std::vector<Turn> turns;
  std::ranges::copy_if(all, std::back_inserter(turns), is_question);
  if (turns.empty()) turns = all;
  if (turns.empty()) return {};
  const auto words = words_of(message);
  const auto says = [&](std::initializer_list<std::string_view> any) {
    return std::ranges::any_of(
        words, [&](const Word& w) { return std::ranges::find(any, w.text) != any.end(); });
  };
  if (turns.size() > 1 && says({"both", "neither", "beide", "beides", "ambas", "ambos"}))
    return {target_of(turns[turns.size() - 2]), target_of(turns.back())};
  size_t best = turns.size() - 1;
  double most = overlap(message, turns[best]);
  for (size_t i = turns.size() - 1; i-- > 0;)
    if (const double o = overlap(message, turns[i]); o > most) {
      best = i;
      most = o;
    }
  if (most == 0 && turns.size() > 1) {
    if (says({"first", "erste", "primera", "première"}))
      best = 0;
    else if (says({"before", "earlier", "previous"}) && !says({"last", "just"}))
      best = turns.size() - 2;
  }
  WatchdogTarget t = target_of(turns[best]);
  // "Forget the bit about the allergy": a part of a longer answer.
  const std::string part = part_about(message, turns[best].answer);
  if (!part.empty() && part.size() < t.response.size()) t.response = part;
  return {t};
}

// "my phone number", "my landline": each with its value if some message of the user contains it.
Targets own_data(std::span<const text::Message> dialogue) {
  Targets targets;
  const std::string& last = dialogue.back().content;
  const auto words = words_of(last);
  const Language language = language_of(words);
  for (const OwnNoun& noun : own_nouns(words, last)) {
    std::string value = value_after(last, noun.end);
    for (size_t i = dialogue.size() - 1; value.empty() && i-- > 0;)
      value = value_near(dialogue[i].content, noun.noun);
    targets.push_back({what_is(noun.phrase, language), value, ""});
  }
  return targets;
}

// "every phone number I gave you": all values of that kind that the user's messages contain.
Targets every_value(std::span<const text::Message> dialogue) {
  Targets targets;
  const auto words = words_of(dialogue.back().content);
  for (size_t i = 0; i + 1 < words.size(); ++i) {
    if (words[i].text != "every" && words[i].text != "all" && words[i].text != "each") continue;
    for (const text::Message& m : dialogue.first(dialogue.size() - 1)) {
      if (m.role != "user") continue;
      for (const Labelled& v : labelled_values(m.content)) {
        std::string noun = v.label;
        if (words[i + 1].text == "phone" || words[i + 1].text.starts_with("number"))
          if (noun.find("number") == noun.npos) noun += " number";
        targets.push_back({"What is my " + noun + "?", v.value, ""});
      }
    }
    break;
  }
  return targets;
}

Targets topic(std::string_view message) {
  const auto words = words_of(message);
  const Language language = language_of(words);
  std::string subject = topic_of(words, message);
  if (subject == "everything" || Cues::builtin().find("forget_any", words_of(subject)))
    subject.clear();
  if (subject.empty()) return {};
  const auto parts = words_of(subject);
  const bool name = parts.size() >= 2 && parts.size() <= 3 && language != Language::kZh &&
                    std::ranges::all_of(parts, [&](const Word& w) {
                      return std::isupper(static_cast<unsigned char>(subject[w.begin]));
                    });
  if (name && language == Language::kEn) return {{"Who is " + subject + "?", "", ""}};
  return {{what_do_you_know(subject, language), "", ""}};
}

// A question with the answer that an earlier turn gave to it: one that contains all its key words.
WatchdogTarget answered_before(const std::string& question, const std::vector<Turn>& turns) {
  double keys = 0;
  for (const Word& w : words_of(question)) keys += !is_function_word(w.text);
  for (auto turn = turns.rbegin(); turn != turns.rend(); ++turn)
    if (keys > 0 && overlap(question, *turn) >= keys) return target_of(*turn);
  return {question, "", ""};
}

bool points_back(std::span<const Word> words) {
  const Cues& cues = Cues::builtin();
  return bool(cues.find("that_answer", words)) || bool(cues.find("erase_that_answer", words));
}

Targets forget(std::span<const text::Message> dialogue) {
  const std::string& last = dialogue.back().content;
  const auto words = words_of(last);
  const auto turns = turns_of(dialogue);
  const bool back = !turns.empty() && points_back(words);
  if (!back || words.size() > 12)
    if (const auto fact = stated_fact(words, last); !fact.prompt.empty()) return {fact};
  if (auto all = every_value(dialogue); !all.empty()) return all;
  if (!back)
    if (auto own = own_data(dialogue); !own.empty()) return own;
  if (!back)
    if (const auto question = asked_by_order(words, last); !question.empty())
      return {answered_before(question, turns)};
  if (const auto about = topic(last);
      !about.empty() && (turns.empty() || (!back && words.size() > 8)))
    return about;
  if (auto there = pointed_at(last, turns); !there.empty()) return there;
  if (auto own = own_data(dialogue); !own.empty()) return own;
  // A person who must become unknown: the only name in the message.
  for (const Value& v : values_in(last))
    if (v.text.find(' ') != v.text.npos && !has_digit(v.text))
      return {{"Who is " + v.text + "?", "", ""}};
  if (auto object = object_of_order(words, last); !object.empty()) {
    if (object.starts_with("everything") || object.starts_with("all ")) object.clear();
    return {{what_do_you_know(object, language_of(words)), "", ""}};
  }
  return {};
}

// The value that contrasts with `other` in the message: of the same kind, and not the same.
Value other_value(std::string_view message, const std::string& other, std::string_view question) {
  Value best;
  int best_score = 0;
  for (const Value& v : values_in(message)) {
    if (v.text.empty() || other.find(v.text) != other.npos) continue;
    const bool asked = question.find(v.text) != question.npos;
    int score = 1 + 3 * v.affirmed - 4 * v.denied - 6 * asked;
    if (!other.empty()) score += 3 * (has_digit(v.text) == has_digit(other));
    if (score >= best_score) {
      best = v;
      best_score = score;
    }
  }
  return best;
}

// "wrong!! four": what is left of a short message when words about right and wrong are gone.
std::string bare_value(std::span<const Word> words, std::string_view message) {
  const Cues& cues = Cues::builtin();
  for (size_t i = words.size(); i-- > 0 && words.size() <= 8;) {
    const auto one = words.subspan(i, 1);
    if (words[i].breaks || is_function_word(words[i].text) || words[i].text == "!" ||
        cues.find("wrong", one) || cues.find("fix_open", one) || cues.find("right", one) ||
        cues.find("you_claim", one) || cues.find("yes", one) || cues.find("no", one))
      continue;
    return std::string(message.substr(words[i].begin, words[i].end - words[i].begin));
  }
  return {};
}

Targets correct(std::span<const text::Message> dialogue) {
  const std::string& last = dialogue.back().content;
  const auto words = words_of(last);
  const auto turns = turns_of(dialogue);
  WatchdogTarget t = stated_fact(words, last);
  bool from_turn = false;
  if (!turns.empty()) {
    const Targets there = pointed_at(last, turns);
    from_turn = !there.empty() &&
                (t.prompt.empty() || overlap(last, {there[0].prompt, there[0].response}) > 0 ||
                 words.size() < 10);
    if (from_turn) t = there[0];
  }
  Value other = other_value(last, t.response, t.prompt);
  t.replacement = other.text;
  // "The head is B; stop telling people it's A": the fact stated is the right one.
  if (!from_turn && !t.response.empty() && !t.replacement.empty()) {
    const size_t stated = last.find(t.response);
    const std::string_view before = std::string_view(last).substr(0, stated);
    const bool claimed = bool(Cues::builtin().find("you_claim", words_of(before))) ||
                         before.find("forget") != before.npos ||
                         before.find("Forget") != before.npos;
    if (!claimed && last.find(other.text, stated) != std::string::npos)
      std::swap(t.response, t.replacement);
  }
  if (t.replacement.empty() && !t.response.empty()) t.replacement = bare_value(words, last);
  // A bare "yes": the right answer was given before.
  for (size_t i = dialogue.size() - 1; words.size() <= 8 && t.replacement.empty() && i-- > 0;)
    if (dialogue[i].role == "user" && dialogue[i].content != t.prompt)
      t.replacement = other_value(dialogue[i].content, t.response, t.prompt).text;
  if (t.prompt.empty()) {  // "My number changed: it is A now, not B."
    const auto own = own_nouns(words, last);
    if (own.empty()) return {t};
    t.prompt = what_is(own[0].phrase, language_of(words));
    for (const Value& v : values_in(last)) (v.denied ? t.response : t.replacement) = v.text;
  }
  return {t};
}

}  // namespace

std::vector<WatchdogTarget> find_targets(std::span<const text::Message> dialogue, Intent intent) {
  if (dialogue.empty()) return {};
  if (intent == Intent::kForget) return forget(dialogue);
  if (intent == Intent::kCorrect) return correct(dialogue);
  return {};
}

}  // namespace expunge::agent
