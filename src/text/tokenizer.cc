#include "text/tokenizer.h"

#include <algorithm>

#include "text/ffi.h"

namespace expunge::text {

using base::Result;

void Tokenizer::Free::operator()(void* handle) const { ffi::expunge_tokenizer_free(handle); }

Result<Tokenizer> Tokenizer::from_json(std::string_view tokenizer_json) {
  void* handle = nullptr;
  ffi::Bytes error{};
  if (ffi::expunge_tokenizer_from_json(tokenizer_json.data(), tokenizer_json.size(), &handle,
                                       &error))
    return ffi::failed("tokenizer.json", error, "is the file complete?");
  return from_handle(handle);
}

Result<Tokenizer> Tokenizer::from_handle(void* handle) {
  Tokenizer t;
  t.handle_.reset(handle, Free());
  ffi::Bytes error{}, known{}, list{}, ends{};
  if (ffi::expunge_tokenizer_known(handle, &known, &error)) return ffi::failed("vocabulary", error);
  t.known_ = std::make_shared<const std::string>(ffi::take(known));
  if (ffi::expunge_tokenizer_specials(handle, &list, &error))
    return ffi::failed("special tokens", error);
  std::vector<SpecialToken> specials;
  for (const auto& s : TRY(base::parse_json(ffi::take(list), "special tokens")))
    specials.push_back({.id = s[0], .text = s[1], .eats_left = s[2], .eats_right = s[3]});
  t.specials_ = std::make_shared<const SpecialTokens>(std::move(specials));
  if (ffi::expunge_tokenizer_ends(handle, &ends, &error)) return ffi::failed("tokenizer", error);
  const base::Json around = TRY(base::parse_json(ffi::take(ends), "beginning and end"));
  t.begin_ids_ = around[0].get<std::vector<int32_t>>();
  t.end_ids_ = around[1].get<std::vector<int32_t>>();
  return t;
}

Result<Encoding> Tokenizer::encode(std::string_view text) const { return encode_part(text, 0); }

Result<Encoding> Tokenizer::encode_part(std::string_view text, size_t at) const {
  ffi::RawEncoding raw{};
  ffi::Bytes error{};
  if (ffi::expunge_tokenizer_encode(handle_.get(), text.data(), text.size(), at == 0, &raw, &error))
    return ffi::failed("cannot encode", error, "the text must be UTF-8");
  Encoding encoding;
  encoding.ids.assign(raw.ids, raw.ids + raw.len);
  for (size_t i = 0; i < raw.len; ++i)
    encoding.bytes.push_back({at + raw.begins[i], at + raw.ends[i]});
  ffi::expunge_text_free_encoding(raw);
  return encoding;
}

Result<Encoding> Tokenizer::encode_with_specials(std::string_view text) const {
  Encoding result;
  const auto append_text = [&](size_t begin, size_t end) -> base::Status {
    if (begin == end) return {};
    const Encoding piece = TRY(encode_part(text.substr(begin, end - begin), begin));
    result.ids.insert(result.ids.end(), piece.ids.begin(), piece.ids.end());
    result.bytes.insert(result.bytes.end(), piece.bytes.begin(), piece.bytes.end());
    return {};
  };
  size_t begin = 0, at = 0;
  while (at < text.size()) {
    const SpecialToken* special = specials_->at(text.substr(at));
    if (special == nullptr) {
      ++at;
      continue;
    }
    const size_t left = begin + size_before(*special, text.substr(begin, at - begin));
    const size_t right = at + size_with_blanks(*special, text.substr(at));
    TRY(append_text(begin, left));
    result.ids.push_back(special->id);
    result.bytes.push_back({left, right});
    begin = at = right;
  }
  TRY(append_text(begin, text.size()));
  return result;
}

Result<std::string> Tokenizer::decode(std::span<const int32_t> ids, Specials specials) const {
  std::vector<uint32_t> unsigned_ids;
  for (const int32_t id : ids)
    if (is_token(id)) unsigned_ids.push_back(static_cast<uint32_t>(id));
  ffi::Bytes out{}, error{};
  if (ffi::expunge_tokenizer_decode(handle_.get(), unsigned_ids.data(), unsigned_ids.size(),
                                    specials == Specials::kSkip, &out, &error))
    return ffi::failed("cannot decode", error);
  return ffi::take(out);
}

Result<std::string> Tokenizer::token(int32_t id) const {
  ffi::Bytes out{}, error{};
  if (ffi::expunge_tokenizer_token(handle_.get(), static_cast<uint32_t>(id), &out, &error))
    return ffi::failed("token", error);
  return ffi::take(out);
}

int32_t Tokenizer::id_of(std::string_view token) const {
  return static_cast<int32_t>(ffi::expunge_tokenizer_id(handle_.get(), token.data(), token.size()));
}

Result<std::string> StreamDecoder::push(int32_t id) {
  ids_.push_back(id);
  const std::string text = TRY(tokenizer_.decode(ids_));
  // U+FFFD at the end is a character whose bytes are incomplete so far.
  constexpr std::string_view kUnfinished = "\xEF\xBF\xBD";
  if (text.size() <= given_ || text.ends_with(kUnfinished)) return std::string();
  std::string fresh = text.substr(given_);
  given_ = text.size();
  // A long window starts again. The tokens of the last text given stay as context: a decoder treats
  // a text's first token in its own way, and byte tokens are read together, so none may be cut off.
  constexpr size_t kLongWindow = 32;
  if (ids_.size() > kLongWindow) {
    ids_.erase(ids_.begin(), ids_.begin() + static_cast<std::ptrdiff_t>(whole_));
    given_ = TRY(tokenizer_.decode(ids_)).size();
  }
  whole_ = ids_.size();
  return fresh;
}

Result<std::string> StreamDecoder::finish() {
  const std::string text = TRY(tokenizer_.decode(ids_));
  std::string rest = text.size() > given_ ? text.substr(given_) : std::string();
  ids_.clear();
  given_ = whole_ = 0;
  return rest;
}

}  // namespace expunge::text
