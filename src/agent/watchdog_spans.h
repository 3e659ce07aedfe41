// Spans of a sentence that the watchdog's targets are made of: facts, values, names, topics.
#pragma once

#include "agent/watchdog.h"

namespace expunge::agent {

enum class Language { kEn, kDe, kEs, kFr, kZh };
Language language_of(std::span<const Word> words);
bool is_function_word(std::string_view word);
bool has_digit(std::string_view text);

std::string what_is(const std::string& phrase, Language language);            // "my phone number"
std::string what_do_you_know(const std::string& subject, Language language);  // a topic

// "that the capital of France is Paris" -> the question and "Paris"; prompt "" if none is stated.
WatchdogTarget stated_fact(std::span<const Word> words, std::string_view message);
// "forget who wrote Hamlet" -> "Who wrote Hamlet?"; "" if the order names no question of facts.
std::string asked_by_order(std::span<const Word> words, std::string_view message);
// The shortest span of an answer with what the question lacks.
std::string answer_span(std::string_view question, std::string_view answer);
// The clause of `answer` that shares a word with "the part about …" of the message, or "".
std::string part_about(std::string_view message, std::string_view answer);
// What follows "about", "über", "sobre", "sur", 关于; "" if nothing does.
std::string topic_of(std::span<const Word> words, std::string_view message);
// What the order's verb governs.
std::string object_of_order(std::span<const Word> words, std::string_view message);

struct OwnNoun {
  std::string phrase, noun;  // "my phone number", "phone number"
  size_t end = 0;            // the first byte after it in the message
};
std::vector<OwnNoun> own_nouns(std::span<const Word> words, std::string_view message);
// The first number, code, quoted or capitalised text from a byte of the message on; "" if none.
std::string value_after(std::string_view message, size_t begin);
// The same after the first mention of the noun.
std::string value_near(std::string_view message, std::string_view noun);

struct Labelled {
  std::string label, value;
};
std::vector<Labelled> labelled_values(std::string_view message);  // "landline 555-0161"

struct Value {
  std::string text;
  bool affirmed = false;  // it follows "it's", "should be"
  bool denied = false;    // it follows "not", "you said"
};
std::vector<Value> values_in(std::string_view message);

}  // namespace expunge::agent
