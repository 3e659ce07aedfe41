#include "agent/undo_reference.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <set>

#include "agent/words.h"

namespace expunge::agent {
namespace {

using Kind = UndoReference::Kind;

constexpr UndoReference kUnclear = {Kind::kUnclear, std::nullopt};

bool any_of(std::string_view word, std::initializer_list<std::string_view> set) {
  return std::ranges::find(set, word) != set.end();
}

bool is_entry_word(std::string_view w) {
  return any_of(w, {"entry", "entries", "edit", "edits", "number", "nr", "nummer", "eintrag",
                    "entrada", "entrée", "change", "request"});
}

// "3", "#3"; nothing for other words.
std::optional<int64_t> digits_of(std::string_view word) {
  if (word.starts_with('#')) word.remove_prefix(1);
  int64_t value = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc() || end != word.data() + word.size()) return std::nullopt;
  return value;
}

std::optional<int64_t> spelled_number(std::string_view word) {
  constexpr std::array<std::string_view, 10> kNumbers = {"one", "two",   "three", "four", "five",
                                                         "six", "seven", "eight", "nine", "ten"};
  const auto found = std::ranges::find(kNumbers, word);
  if (found == kNumbers.end()) return std::nullopt;
  return found - kNumbers.begin() + 1;
}

// "the first edit", "all edits", "both", "the last two", "the one before": not simply the last.
bool counts_or_orders(std::string_view message, std::span<const Word> words) {
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string_view w = words[i].text;
    const std::string_view next = i + 1 < words.size() ? std::string_view(words[i + 1].text) : "";
    if (any_of(w, {"all", "both", "every", "everything", "each", "alles", "alle", "beide", "todo",
                   "todos", "tout", "tous", "toutes"}))
      return true;
    if (any_of(w, {"first",  "second",  "third",    "fourth",  "fifth",    "oldest",     "earliest",
                   "erste",  "ersten",  "zweite",   "zweiten", "dritte",   "dritten",    "primera",
                   "primer", "segunda", "première", "premier", "deuxième", "penultimate"}) &&
        !message.substr(words[i].end).starts_with(',') &&
        !message.substr(words[i].end).starts_with(':'))
      return true;
    if (w == "one" && next == "before") return true;
    if (w != "one" && spelled_number(w)) return true;
  }
  return false;
}

using Words = std::set<std::string, std::less<>>;

// Words that can distinguish edits.
Words telling_words(std::string_view text) {
  Words telling;
  for (const Word& w : words_of(text))
    if (w.text.size() >= 2 && !is_function_word(w.text) &&
        !any_of(w.text,
                {"undo",  "undone",   "revert",  "restore", "back",    "take",   "bring",   "put",
                 "roll",  "edit",     "edits",   "entry",   "change",  "number", "request", "last",
                 "first", "remember", "learned", "learn",   "relearn", "erase",  "forgot",  "give",
                 "get",   "make",     "now",     "hello",   "sorry"}))
      telling.insert(w.text);
  return telling;
}

// Entries whose titles share most words with the message; empty if none shares any.
std::vector<int64_t> closest(const Words& telling, std::span<const ActiveEdit> active) {
  std::vector<int64_t> best;
  size_t most = 0;
  for (const ActiveEdit& edit : active) {
    const Words title = telling_words(edit.title);
    const auto shared = static_cast<size_t>(
        std::ranges::count_if(telling, [&](const std::string& w) { return title.contains(w); }));
    if (shared == 0 || shared < most) continue;
    if (shared > most) best.clear();
    most = shared;
    best.push_back(edit.entry);
  }
  return best;
}

// A name, number or quotation that occurs in no title is about something else. A capital within a
// sentence makes a name, but not after a German article; in a message in capitals nothing does.
bool names_something_else(std::string_view message, std::span<const Word> words) {
  if (message.find_first_of("\"“„«「") != message.npos) return true;
  const bool has_case =
      std::ranges::any_of(message, [](unsigned char c) { return std::islower(c); });
  for (size_t i = 0; i < words.size(); ++i) {
    const Word& w = words[i];
    if (std::ranges::any_of(w.text, [](unsigned char c) { return std::isdigit(c); })) return true;
    const bool opens =
        i == 0 ||
        message.substr(words[i - 1].end, w.begin - words[i - 1].end).find_first_of(".!?:") !=
            message.npos;
    const bool noun = i > 0 && any_of(words[i - 1].text,
                                      {"der", "die", "das", "den", "dem", "letzte", "letzten"});
    const bool capital = std::isupper(static_cast<unsigned char>(message[w.begin])) != 0;
    if (has_case && capital && !opens && !noun && !is_function_word(w.text)) return true;
  }
  return false;
}

}  // namespace

UndoReference undo_reference(std::string_view message, std::span<const ActiveEdit> active) {
  const std::vector<Word> words = words_of(message);
  std::set<int64_t> numbers;
  for (size_t i = 0; i < words.size(); ++i) {
    const bool after_entry = i > 0 && is_entry_word(words[i - 1].text);
    if (!after_entry && !words[i].text.starts_with('#')) continue;
    auto number = digits_of(words[i].text);
    if (!number && after_entry) number = spelled_number(words[i].text);
    if (number) numbers.insert(*number);
  }
  if (numbers.size() == 1 && !std::ranges::any_of(words, [](const Word& w) {
        return w.text == "entries" || w.text == "edits";
      }))
    return {Kind::kEntry, *numbers.begin()};
  if (!numbers.empty()) return kUnclear;
  const std::vector<int64_t> found = closest(telling_words(message), active);
  if (found.size() == 1) return {Kind::kEntry, found[0]};
  if (!found.empty() || counts_or_orders(message, words) || names_something_else(message, words))
    return kUnclear;
  return {};
}

}  // namespace expunge::agent
