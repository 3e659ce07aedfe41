// The control tokens of a vocabulary by their spelling: which one begins here? A vocabulary may
// have thousands of them (Gemma: 6,249).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace expunge::text {

struct SpecialToken {
  int32_t id = 0;
  std::string text;
  bool eats_left = false, eats_right = false;  // white space beside it belongs to it
};

// The size of `before` without the blanks at its end that belong to the token after it.
size_t size_before(const SpecialToken& token, std::string_view before);
// The size of the token that `text` begins with, and of the blanks after it that belong to it.
size_t size_with_blanks(const SpecialToken& token, std::string_view text);

class SpecialTokens {
 public:
  SpecialTokens() = default;
  explicit SpecialTokens(std::vector<SpecialToken> tokens);
  // The longest one that `text` begins with, or null.
  const SpecialToken* at(std::string_view text) const;

 private:
  std::vector<SpecialToken> tokens_;
  std::unordered_map<std::string, size_t> by_text_;
  std::array<std::vector<size_t>, 256> sizes_;  // by first byte, longest first
};

}  // namespace expunge::text
