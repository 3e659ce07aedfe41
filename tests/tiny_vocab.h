// Small vocabularies for tests: byte-level BPE (one token per byte and a few merges, two control
// tokens) and SentencePiece BPE with byte fallback.
#pragma once

#include <string>
#include <vector>

#include "text/tokenizer.h"

namespace expunge::tests {

// The printable stand-ins of GPT-2's byte-level alphabet, in byte order.
inline std::vector<std::string> byte_alphabet() {
  std::vector<std::string> alphabet;
  int next = 256;
  for (int b = 0; b < 256; ++b) {
    const bool printable = (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
    const int c = printable ? b : next++;
    alphabet.push_back(c < 128 ? std::string(1, static_cast<char>(c))
                               : std::string{static_cast<char>(0xC0 | (c >> 6)),
                                             static_cast<char>(0x80 | (c & 63))});
  }
  return alphabet;
}

constexpr int32_t kImStart = 256, kImEnd = 257;

// Ids 0-255 are bytes; 256 and 257 are <|im_start|> and <|im_end|>; then "th", "the", "Ġthe".
struct ByteVocab {
  std::vector<std::string> tokens = byte_alphabet(), merges = {"t h", "th e", "Ġ the"};
  text::GgufVocab vocab;
  explicit ByteVocab(const std::string& pre = "gpt-2") {
    for (const char* t : {"<|im_start|>", "<|im_end|>", "th", "the", "Ġthe"}) tokens.push_back(t);
    vocab.model = "gpt2";
    vocab.pre = pre;
    vocab.tokens.assign(tokens.begin(), tokens.end());
    vocab.merges.assign(merges.begin(), merges.end());
    vocab.types.assign(tokens.size(), 1);
    vocab.types[kImStart] = vocab.types[kImEnd] = 3;
  }
};

// <unk> <s> </s>, 256 bytes from id 3, then pieces with scores.
struct PieceVocab {
  std::vector<std::string> tokens = {"<unk>", "<s>", "</s>"};
  text::GgufVocab vocab;
  PieceVocab() {
    vocab.types = {2, 3, 3};
    vocab.scores = {0, 0, 0};
    for (int b = 0; b < 256; ++b) {
      tokens.push_back(fmt::format("<0x{:02X}>", b));
      vocab.types.push_back(6);
      vocab.scores.push_back(0);
    }
    // Id 259 on. "ab" is better than "▁a": " ab" becomes "▁", "ab" and then "▁ab".
    const std::vector<std::pair<const char*, double>> pieces = {
        {"▁", -10}, {"a", -11}, {"b", -12}, {"ab", -1}, {"▁a", -2}, {"▁ab", -3}, {"ba", -4}};
    for (const auto& [piece, score] : pieces) {
      tokens.push_back(piece);
      vocab.types.push_back(1);
      vocab.scores.push_back(score);
    }
    vocab.model = "llama";
    vocab.tokens.assign(tokens.begin(), tokens.end());
    vocab.unk = 0;
  }
};

}  // namespace expunge::tests
