// The C interface of crates/expunge-text, as its lib.rs declares it. Only text/*.cc include this.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/error.h"

namespace expunge::text::ffi {

extern "C" {
struct Bytes {
  uint8_t* data;
  size_t len;
};
struct RawEncoding {
  uint32_t* ids;
  size_t* begins;
  size_t* ends;
  size_t len;
};
struct RawPiece {
  const char* data;
  size_t len;
  float score;
  uint32_t kind;  // 0 piece, 1 user defined, 2 special, 3 byte, 4 unused
};
void expunge_text_free_bytes(Bytes bytes);
void expunge_text_free_encoding(RawEncoding encoding);
int expunge_tokenizer_from_json(const char* data, size_t len, void** out, Bytes* error);
int expunge_tokenizer_from_pieces(const char* data, size_t len, const RawPiece* pieces,
                                  size_t count, int64_t unknown, void** out, Bytes* error);
void expunge_tokenizer_free(void* tokenizer);
int expunge_tokenizer_encode(const void* tokenizer, const char* data, size_t len, bool begins,
                             RawEncoding* out, Bytes* error);
int expunge_tokenizer_decode(const void* tokenizer, const uint32_t* ids, size_t len,
                             bool skip_special, Bytes* out, Bytes* error);
int expunge_tokenizer_token(const void* tokenizer, uint32_t id, Bytes* out, Bytes* error);
int64_t expunge_tokenizer_id(const void* tokenizer, const char* data, size_t len);
int expunge_tokenizer_known(const void* tokenizer, Bytes* out, Bytes* error);
int expunge_tokenizer_specials(const void* tokenizer, Bytes* out, Bytes* error);
int expunge_tokenizer_ends(const void* tokenizer, Bytes* out, Bytes* error);
int expunge_template_compile(const char* data, size_t len, void** out, Bytes* error);
void expunge_template_free(void* env);
int expunge_template_render(const void* env, const char* data, size_t len, Bytes* out,
                            Bytes* error);
}

inline std::string take(Bytes bytes) {
  std::string text(reinterpret_cast<const char*>(bytes.data), bytes.len);
  expunge_text_free_bytes(bytes);
  return text;
}
inline tl::unexpected<base::Error> failed(const char* what, Bytes error, std::string hint = {}) {
  return base::fail(base::Code::kInvalid, std::string(what) + ": " + take(error), std::move(hint));
}

}  // namespace expunge::text::ffi
