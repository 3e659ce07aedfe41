// Text to token ids and back, by Hugging Face's tokenizers (through crates/expunge-text).
//
// A text that spells a special token is encoded as text, never as the control token: what a user
// types cannot end a turn. Control tokens are placed by the chat template (encode_chat).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace expunge::text {

struct ByteRange {
  size_t begin, end;  // half open
};

struct Encoding {
  std::vector<int32_t> ids;
  std::vector<ByteRange> bytes;  // where each token stands in the text; a cut character repeats
};

// A vocabulary as a GGUF stores it (keys tokenizer.ggml.*).
struct GgufVocab {
  std::string model;  // "gpt2" (byte-level BPE) or "llama" (SentencePiece BPE)
  std::string pre;    // pre-tokenizer's name: smollm, gpt-2, qwen2, llama-bpe, …
  std::vector<std::string_view> tokens;
  std::vector<double> scores;
  std::vector<int64_t> types;  // 1 normal, 2 unknown, 3 control, 4 user defined, 6 byte
  std::vector<std::string_view> merges;
  int64_t unk = -1;
  bool add_space_prefix = true;
};
// The tokenizer.json equivalent to a GGUF's vocabulary.
base::Result<std::string> tokenizer_json(const GgufVocab& vocab);

enum class Specials { kKeep, kSkip };

class Tokenizer {
 public:
  static base::Result<Tokenizer> from_json(std::string_view tokenizer_json);
  static base::Result<Tokenizer> from_gguf(const GgufVocab& vocab);

  // Errors: text is not UTF-8.
  base::Result<Encoding> encode(std::string_view text) const;
  // For trusted text, where a spelled special token is that token.
  base::Result<Encoding> encode_with_specials(std::string_view text) const;
  // Unknown ids are an error; bytes that form no character become U+FFFD.
  base::Result<std::string> decode(std::span<const int32_t> ids, Specials = Specials::kSkip) const;

  size_t vocab_size() const;
  base::Result<std::string> token(int32_t id) const;  // its spelling in the vocabulary
  int32_t id_of(std::string_view token) const;        // -1 if there is none

  struct Special {
    int32_t id;
    std::string text;
  };
  const std::vector<Special>& specials() const { return specials_; }  // longest first

 private:
  struct Free {
    void operator()(void* handle) const;
  };
  std::shared_ptr<void> handle_;  // immutable: copies share it
  std::vector<Special> specials_;
};

// Decodes a growing list of ids and returns only whole UTF-8 characters.
class StreamDecoder {
 public:
  explicit StreamDecoder(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {}
  // The text that `id` completes; empty while a character is unfinished.
  base::Result<std::string> push(int32_t id);
  // What is left at the end, unfinished characters as U+FFFD.
  base::Result<std::string> finish();

 private:
  const Tokenizer& tokenizer_;
  std::vector<int32_t> ids_;
  size_t given_ = 0;  // bytes of the decoded window that were handed out
  size_t whole_ = 0;  // tokens of the window when text was last handed out
};

}  // namespace expunge::text
