// Text to token ids and back, by Hugging Face's tokenizers (through crates/expunge-text).
//
// A text that spells a special token is encoded as text, never as the control token: what a user
// types cannot end a turn. Control tokens are placed by the chat template (encode_chat).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "text/special_tokens.h"

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
  std::string pre;  // pre-tokenizer's name: smollm, gpt-2, qwen2, llama-bpe, …; "" if it has none
  std::vector<std::string_view> tokens;
  std::vector<double> scores;
  std::vector<int64_t> types;  // 1 normal, 2 unknown, 3 control, 4 user defined, 5 unused, 6 byte
  std::vector<std::string_view> merges;
  int64_t unk = -1, bos = -1, eos = -1;
  bool add_space_prefix = true;
  std::optional<bool> add_bos, add_eos;  // as the file says; see adds_bos
};
// The tokenizer.json equivalent to a GGUF's vocabulary. It ranks a SentencePiece BPE's pairs, so
// that in a run of one character equal scores may fall out otherwise than from_gguf, which follows
// scores.
base::Result<std::string> tokenizer_json(const GgufVocab& vocab);
// Whether a text begins with the BOS token; by the kind of vocabulary where the file does not say.
bool adds_bos(const GgufVocab& vocab);
// What a user should know about the vocabulary.
std::vector<std::string> notes(const GgufVocab& vocab);

enum class Specials { kKeep, kSkip };

class Tokenizer {
 public:
  static base::Result<Tokenizer> from_json(std::string_view tokenizer_json);
  static base::Result<Tokenizer> from_gguf(const GgufVocab& vocab);

  // Errors: text is not UTF-8.
  base::Result<Encoding> encode(std::string_view text) const;
  // For trusted text, where a spelled special token is that token.
  base::Result<Encoding> encode_with_specials(std::string_view text) const;
  // An id without a token is not text; bytes that form no character become U+FFFD.
  base::Result<std::string> decode(std::span<const int32_t> ids, Specials = Specials::kSkip) const;

  // One more than the highest id. A model may have more embedding rows, and a vocabulary gaps:
  // those ids are not tokens, and a sampler must not draw them.
  size_t vocab_size() const { return known_->size(); }
  bool is_token(int64_t id) const {
    return id >= 0 && id < static_cast<int64_t>(known_->size()) &&
           (*known_)[static_cast<size_t>(id)] != 0;
  }
  base::Result<std::string> token(int32_t id) const;  // its spelling in the vocabulary
  int32_t id_of(std::string_view token) const;        // -1 if there is none

  // What stands before and after a text (BOS, EOS); encode leaves it out.
  const std::vector<int32_t>& begin_ids() const { return begin_ids_; }
  const std::vector<int32_t>& end_ids() const { return end_ids_; }
  // What stands before a chat whose template does not write it. llama.cpp puts it there, so that a
  // GGUF has it; transformers does not, and neither has a tokenizer.json.
  const std::vector<int32_t>& chat_begin_ids() const { return chat_begin_ids_; }

  const SpecialTokens& specials() const { return *specials_; }
  // encode, for a part of a longer text; some tokenizers begin a text with a space.
  base::Result<Encoding> encode_part(std::string_view text, size_t at) const;

 private:
  struct Free {
    void operator()(void* handle) const;
  };
  static base::Result<Tokenizer> from_handle(void* handle);
  static base::Result<Tokenizer> from_pieces(const GgufVocab& vocab);
  // Immutable: copies share them.
  std::shared_ptr<void> handle_;
  std::shared_ptr<const std::string> known_;  // a byte for each id
  std::shared_ptr<const SpecialTokens> specials_;
  std::vector<int32_t> begin_ids_, end_ids_, chat_begin_ids_;
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
