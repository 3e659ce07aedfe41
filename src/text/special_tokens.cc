#include "text/special_tokens.h"

#include <algorithm>

namespace expunge::text {

namespace {

constexpr std::string_view kBlank = " \t\r\n\f\v";

}  // namespace

size_t size_before(const SpecialToken& token, std::string_view before) {
  return token.eats_left ? before.find_last_not_of(kBlank) + 1 : before.size();
}

size_t size_with_blanks(const SpecialToken& token, std::string_view text) {
  if (!token.eats_right) return token.text.size();
  return std::min(text.find_first_not_of(kBlank, token.text.size()), text.size());
}

SpecialTokens::SpecialTokens(std::vector<SpecialToken> tokens) : tokens_(std::move(tokens)) {
  std::erase_if(tokens_, [](const SpecialToken& t) { return t.text.empty(); });
  for (size_t i = 0; i < tokens_.size(); ++i) {
    by_text_.emplace(tokens_[i].text, i);
    auto& sizes = sizes_[static_cast<unsigned char>(tokens_[i].text[0])];
    if (std::ranges::find(sizes, tokens_[i].text.size()) == sizes.end())
      sizes.push_back(tokens_[i].text.size());
  }
  for (auto& sizes : sizes_) std::ranges::sort(sizes, std::ranges::greater{});
}

const SpecialToken* SpecialTokens::at(std::string_view text) const {
  if (text.empty()) return nullptr;
  for (const size_t size : sizes_[static_cast<unsigned char>(text[0])]) {
    if (size > text.size()) continue;
    if (const auto found = by_text_.find(std::string(text.substr(0, size)));
        found != by_text_.end())
      return &tokens_[found->second];
  }
  return nullptr;
}

}  // namespace expunge::text
