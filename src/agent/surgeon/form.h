// How a fact is put to the surgeon's model, and the grammar of its replies.
//
//   surgeon                                1 The Danube: which sea does it end in?
//   Into which sea does the Danube empty?  N Where is the mouth of the Nile?
//   the Black Sea                          N What sea does the Volga drain into?
//
// A reply begins with what is wanted: one wording of a kind (1 to 6), the same question about
// other subjects (N, a line each), or other questions about the subject (S).
// tools/adapter_rows.py writes the same forms for the training.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/language_model.h"

namespace expunge::agent {

enum class Wanted : char {
  kSubjectFirst = '1',
  kIndirect = '2',
  kImperative = '3',
  kWithoutNoun = '4',
  kTyped = '5',       // in a hurry, lower case
  kCompletion = '6',  // a sentence that the answer ends
  kNeighbours = 'N',
  kSameSubject = 'S'
};

// An unknown answer is "".
std::string surgeon_prompt(std::string_view question, std::string_view answer);

// Lines that begin with the letter and a space: of a wording one, of the lists up to kMostLines.
class SurgeonGrammar final : public Grammar {
 public:
  static constexpr size_t kMostLines = 6;
  explicit SurgeonGrammar(Wanted wanted) : label_(static_cast<char>(wanted)) {}
  void constrain(std::string_view written, Choice& choice) override;

 private:
  char label_;
};

// The lines without their letter; an unfinished last line counts as one.
std::vector<std::string> parse_surgeon_reply(std::string_view reply);

}  // namespace expunge::agent
