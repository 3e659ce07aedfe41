// What watchdog and surgeon need of a language model: replies within a grammar. The service has the
// models (service/adapter.h); here no tensor is known.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/error.h"
#include "base/job.h"

namespace expunge::agent {

// The bytes that each token of a tokenizer writes.
class Vocabulary {
 public:
  // `bytes` by id; "" for control tokens and gaps. `end_ids` end a reply.
  Vocabulary(std::vector<std::string> bytes, std::vector<int32_t> end_ids);

  size_t size() const { return bytes_.size(); }
  const std::string& bytes(int32_t id) const { return bytes_[static_cast<size_t>(id)]; }
  int32_t id_of(std::string_view bytes) const;  // -1 if no token writes exactly these
  int32_t beginning_of(
      std::string_view text) const;            // the longest token that begins the text, or -1
  size_t longest() const { return longest_; }  // bytes of a token
  const std::vector<int32_t>& end_ids() const { return end_ids_; }
  // Tokens that write a line end, and tokens that begin with a space.
  const std::vector<int32_t>& breaking() const { return breaking_; }
  const std::vector<int32_t>& spaced() const { return spaced_; }

 private:
  std::vector<std::string> bytes_;
  std::vector<int32_t> end_ids_, breaking_, spaced_;
  std::unordered_map<std::string_view, int32_t> ids_;  // into bytes_
  size_t longest_ = 0;
};

// Logits [V] of the next token, in which what may not follow is set to minus infinity.
class Choice {
 public:
  Choice(const Vocabulary& vocabulary, std::span<float> logits)
      : vocabulary_(vocabulary), logits_(logits) {}
  const Vocabulary& vocabulary() const { return vocabulary_; }
  float logit(int32_t id) const { return logits_[static_cast<size_t>(id)]; }
  void forbid(std::span<const int32_t> ids);
  void allow_only(std::span<const int32_t> ids);  // -1 among them is no token
  void restore(int32_t id, float logit) { logits_[static_cast<size_t>(id)] = logit; }

 private:
  const Vocabulary& vocabulary_;
  std::span<float> logits_;
};

// What may follow in a reply that is being written.
class Grammar {
 public:
  virtual ~Grammar() = default;
  // `written`: the bytes of the reply so far. Leaves at least one token.
  virtual void constrain(std::string_view written, Choice& choice) = 0;
  // Whether nothing can follow: the end need not be asked for.
  virtual bool is_complete(std::string_view /*written*/) const { return false; }
};

class LanguageModel {
 public:
  // One reply: `begun` stands there already and is part of it.
  struct Order {
    std::string begun = {};
    Grammar* grammar = nullptr;
    int64_t max_new_tokens = 256;
    double temperature = 0;
    uint64_t seed = 0;
  };
  virtual ~LanguageModel() = default;
  // Replies to one prompt, an order each. Those that reach max_new_tokens are cut. Errors: the
  // prompt exceeds the context; cancelled.
  virtual base::Result<std::vector<std::string>> write(const std::string& prompt,
                                                       std::span<const Order> orders,
                                                       const base::Job& job) const = 0;
  // Tokens of the longest prompt.
  virtual size_t context() const = 0;
};

// One line: runs of white space (Python's, as the training data was written) are one space.
std::string single_spaced(std::string_view text);

}  // namespace expunge::agent
