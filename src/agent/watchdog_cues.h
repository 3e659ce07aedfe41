// Cues: named yes-or-no observations about a dialogue, from data/watchdog/cues.json.
//
// A cue is a list of patterns over one part of the dialogue ("user": the last message, "reply": the
// assistant's turn before it, "before": the user's earlier turns) or a combination of other cues.
#pragma once

#include <array>
#include <map>
#include <string>
#include <vector>

#include "agent/watchdog_text.h"
#include "base/json.h"
#include "text/message.h"

namespace expunge::agent {

class Cues {
 public:
  static const Cues& builtin();
  static base::Result<Cues> parse(std::string_view json);

  const std::vector<std::string>& names() const { return names_; }
  const std::string& hash() const { return hash_; }  // SHA-256 of the source
  // 0 or 1 for every name. The last message is the user's.
  std::vector<float> observe(std::span<const text::Message> dialogue) const;
  // Of observe()'s answer.
  bool has(std::span<const float> cues, std::string_view name) const;
  // Where a cue's pattern lies first in some words.
  Pattern::Match find(std::string_view cue, std::span<const Word> words, size_t from = 0) const;

 private:
  enum class Scope : uint8_t { kUser, kReply, kBefore };
  struct Cue {
    Scope scope;
    std::vector<Pattern> patterns;
  };
  struct Term {  // true if one of the named cues is, or if none is
    std::vector<size_t> any;
    bool negated = false;
  };
  std::string hash_;
  std::vector<std::string> names_;
  std::map<std::string, size_t, std::less<>> index_;
  std::vector<Cue> cues_;
  std::vector<std::vector<Term>> combinations_;
};

}  // namespace expunge::agent
