// How a dialogue is put to the watchdog's model, and the grammar of its reply.
//
//   watchdog                      forget
//   user: who won in 1998?        Q Who won the World Cup in 1998?
//   assistant: France won.        A France
//   user: unlearn that
//
// The first word is the intent. forget and correct go on with a target in lines of their own: its
// question (Q; T if everything about something is meant), the answer (A; "-" if the dialogue does
// not contain it), and for correct the replacement (R). Answers and replacements are copied from
// the dialogue, letter by letter. tools/adapter_rows.py writes the same forms for the training.
#pragma once

#include <array>
#include <span>

#include "agent/language_model.h"
#include "agent/watchdog/reading.h"

namespace expunge::agent {

// The prompt: the last nine turns, the oldest of them left out until it has at most `most` bytes,
// and of a longer last message its middle.
std::string watchdog_prompt(std::span<const text::Message> dialogue, size_t most);

// Spans of a prompt's turns: what can be copied.
class Copying {
 public:
  explicit Copying(std::string_view prompt);
  // Tokens that continue a span of which `begun` is written; it begins with a space that the
  // prompt need not have.
  std::vector<int32_t> continuations(std::string_view begun, const Vocabulary& vocabulary) const;
  // Whether a span may end here: not within a word.
  bool may_end(std::string_view begun) const;

 private:
  std::vector<size_t> places(std::string_view span) const;  // where the span stands
  std::string text_;
};

class WatchdogGrammar final : public Grammar {
 public:
  explicit WatchdogGrammar(std::string_view prompt) : copying_(prompt) {}
  void constrain(std::string_view written, Choice& choice) override;
  bool is_complete(std::string_view written) const override;
  // Of the five intents, in Intent's order; all zero before the first word.
  const std::array<double, kIntents>& probabilities() const { return probabilities_; }

 private:
  void choose_intent(Choice& choice);
  void copy(std::string_view span, bool is_last, Choice& choice) const;
  Copying copying_;
  std::array<double, kIntents> probabilities_{};
};

// Targets of a reply, the unfinished one left out. Intent kNone for an empty reply.
struct WatchdogReply {
  Intent intent = Intent::kNone;
  std::vector<WatchdogTarget> targets;
};
WatchdogReply parse_watchdog_reply(std::string_view reply);

}  // namespace expunge::agent
