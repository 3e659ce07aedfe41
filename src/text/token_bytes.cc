#include "text/token_bytes.h"

#include <array>
#include <charconv>
#include <unordered_map>

#include "base/utf8.h"

namespace expunge::text {
namespace {

// The characters that stand for bytes in a byte-level vocabulary (GPT-2): printable bytes stand for
// themselves, the others in order for U+0100 and up.
std::unordered_map<char32_t, char> byte_characters() {
  std::unordered_map<char32_t, char> bytes;
  char32_t next = 0x100;
  for (int b = 0; b < 256; ++b) {
    const bool printable = (b >= '!' && b <= '~') || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
    bytes[printable ? static_cast<char32_t>(b) : next++] = static_cast<char>(b);
  }
  return bytes;
}

std::string from_byte_level(std::string_view spelling,
                            const std::unordered_map<char32_t, char>& bytes) {
  std::string text;
  for (size_t at = 0; at < spelling.size();) {
    const base::Char c = base::char_at(spelling, at);
    const auto found = bytes.find(c.code);
    if (c.size == 0 || found == bytes.end()) return std::string(spelling);  // an added token
    text += found->second;
    at += c.size;
  }
  return text;
}

// "▁" is a space, "<0x0A>" a byte.
std::string from_sentencepiece(std::string_view spelling) {
  if (spelling.size() == 6 && spelling.starts_with("<0x") && spelling.ends_with('>')) {
    int byte = 0;
    std::from_chars(spelling.data() + 3, spelling.data() + 5, byte, 16);
    return {static_cast<char>(byte)};
  }
  constexpr std::string_view kSpace = "\u2581";
  std::string text;
  for (size_t at = 0; at < spelling.size();) {
    const bool space = spelling.substr(at).starts_with(kSpace);
    text += space ? ' ' : spelling[at];
    at += space ? kSpace.size() : 1;
  }
  return text;
}

}  // namespace

base::Result<std::vector<std::string>> token_bytes(const Tokenizer& tokenizer) {
  const bool byte_level = tokenizer.id_of("\u0120") >= 0;  // a space
  const auto bytes = byte_characters();
  std::vector<std::string> all(tokenizer.vocab_size());
  for (size_t i = 0; i < all.size(); ++i) {
    const auto id = static_cast<int32_t>(i);
    if (!tokenizer.is_token(id)) continue;
    const std::string spelling = TRY(tokenizer.token(id));
    if (const SpecialToken* special = tokenizer.specials().at(spelling);
        special && special->text == spelling)
      continue;
    all[i] = byte_level ? from_byte_level(spelling, bytes) : from_sentencepiece(spelling);
  }
  return all;
}

}  // namespace expunge::text
