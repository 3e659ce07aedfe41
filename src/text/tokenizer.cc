#include "text/tokenizer.h"

#include <algorithm>

#include "text/ffi.h"

namespace expunge::text {

using base::Result;

void Tokenizer::Free::operator()(void* handle) const { ffi::expunge_tokenizer_free(handle); }

Result<Tokenizer> Tokenizer::from_json(std::string_view tokenizer_json) {
  Tokenizer t;
  void* handle = nullptr;
  ffi::Bytes error{}, list{};
  if (ffi::expunge_tokenizer_from_json(tokenizer_json.data(), tokenizer_json.size(), &handle,
                                       &error))
    return ffi::failed("tokenizer.json", error, "is the file complete?");
  t.handle_.reset(handle, Free());
  if (ffi::expunge_tokenizer_specials(handle, &list, &error))
    return ffi::failed("special tokens", error);
  const base::Json specials = TRY(base::parse_json(ffi::take(list), "special tokens"));
  for (const auto& entry : specials) t.specials_.push_back({entry[0], entry[1]});
  std::erase_if(t.specials_, [](const Special& s) { return s.text.empty(); });
  std::ranges::stable_sort(t.specials_, std::ranges::greater{},
                           [](const Special& s) { return s.text.size(); });
  return t;
}

Result<Encoding> Tokenizer::encode(std::string_view text) const {
  ffi::RawEncoding raw{};
  ffi::Bytes error{};
  if (ffi::expunge_tokenizer_encode(handle_.get(), text.data(), text.size(), &raw, &error))
    return ffi::failed("cannot encode", error, "the text must be UTF-8");
  Encoding encoding;
  encoding.ids.assign(raw.ids, raw.ids + raw.len);
  for (size_t i = 0; i < raw.len; ++i) encoding.bytes.push_back({raw.begins[i], raw.ends[i]});
  ffi::expunge_text_free_encoding(raw);
  return encoding;
}

Result<Encoding> Tokenizer::encode_with_specials(std::string_view text) const {
  Encoding result;
  const auto append_text = [&](size_t begin, size_t end) -> base::Status {
    if (begin == end) return {};
    const Encoding piece = TRY(encode(text.substr(begin, end - begin)));
    result.ids.insert(result.ids.end(), piece.ids.begin(), piece.ids.end());
    for (const ByteRange& r : piece.bytes) result.bytes.push_back({begin + r.begin, begin + r.end});
    return {};
  };
  size_t begin = 0, at = 0;
  while (at < text.size()) {
    const auto special = std::ranges::find_if(
        specials_, [&](const Special& s) { return text.substr(at).starts_with(s.text); });
    if (special == specials_.end()) {
      ++at;
      continue;
    }
    TRY(append_text(begin, at));
    result.ids.push_back(special->id);
    result.bytes.push_back({at, at + special->text.size()});
    begin = at += special->text.size();
  }
  TRY(append_text(begin, text.size()));
  return result;
}

Result<std::string> Tokenizer::decode(std::span<const int32_t> ids, Specials specials) const {
  const std::vector<uint32_t> unsigned_ids(ids.begin(), ids.end());
  const size_t n = vocab_size();
  for (const uint32_t id : unsigned_ids)
    if (id >= n)
      return base::fail(base::Code::kInvalid, fmt::format("no token has id {}", id),
                        fmt::format("ids go from 0 to {}", n - 1));
  ffi::Bytes out{}, error{};
  if (ffi::expunge_tokenizer_decode(handle_.get(), unsigned_ids.data(), unsigned_ids.size(),
                                    specials == Specials::kSkip, &out, &error))
    return ffi::failed("cannot decode", error);
  return ffi::take(out);
}

size_t Tokenizer::vocab_size() const { return ffi::expunge_tokenizer_vocab_size(handle_.get()); }

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
