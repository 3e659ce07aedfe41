#include "text/chat_template.h"

#include <algorithm>

#include "text/ffi.h"

namespace expunge::text {
namespace {

using base::Json;
using base::Result;

// A noncharacter (U+FDD0 … U+FDEF) that no message contains: put inside every special token of a
// message's content, it keeps that spelling from being taken for a control token.
std::string pick_breaker(std::span<const Message> messages, std::string_view prefill) {
  for (unsigned char last = 0x90; last < 0xB0; ++last) {
    const std::string breaker{'\xEF', '\xB7', static_cast<char>(last)};
    if (prefill.find(breaker) == prefill.npos &&
        std::ranges::none_of(
            messages, [&](const Message& m) { return m.content.find(breaker) != m.content.npos; }))
      return breaker;
  }
  return {};
}

std::string break_specials(std::string text, const Tokenizer& tokenizer,
                           const std::string& breaker) {
  for (const auto& special : tokenizer.specials())
    for (size_t at = 0; (at = text.find(special.text, at)) != text.npos; at += 1 + breaker.size())
      text.insert(at + 1, breaker);
  return text;
}

// Splits the rendered text at control tokens, removes the breakers and encodes what lies between.
Result<Encoding> encode_rendered(const Tokenizer& tokenizer, std::string_view rendered,
                                 const std::string& breaker, std::string& clean) {
  Encoding result;
  std::string piece;
  const auto flush = [&]() -> base::Status {
    const size_t begin = clean.size();
    const Encoding encoded = TRY(tokenizer.encode(piece));
    result.ids.insert(result.ids.end(), encoded.ids.begin(), encoded.ids.end());
    for (const ByteRange& r : encoded.bytes)
      result.bytes.push_back({begin + r.begin, begin + r.end});
    clean += piece;
    piece.clear();
    return {};
  };
  while (!rendered.empty()) {
    const auto special = std::ranges::find_if(
        tokenizer.specials(), [&](const auto& s) { return rendered.starts_with(s.text); });
    if (special != tokenizer.specials().end()) {
      TRY(flush());
      result.ids.push_back(special->id);
      result.bytes.push_back({clean.size(), clean.size() + special->text.size()});
      clean += special->text;
      rendered.remove_prefix(special->text.size());
    } else if (!breaker.empty() && rendered.starts_with(breaker)) {
      rendered.remove_prefix(breaker.size());
    } else {
      piece += rendered.front();
      rendered.remove_prefix(1);
    }
  }
  TRY(flush());
  return result;
}

std::string_view trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

}  // namespace

void ChatTemplate::Free::operator()(void* handle) const { ffi::expunge_template_free(handle); }

Result<ChatTemplate> ChatTemplate::compile(std::string_view source, std::string bos_token,
                                           std::string eos_token) {
  ChatTemplate t;
  void* handle = nullptr;
  ffi::Bytes error{};
  if (ffi::expunge_template_compile(source.data(), source.size(), &handle, &error))
    return ffi::failed("chat template", error);
  t.handle_.reset(handle);
  t.bos_token_ = std::move(bos_token);
  t.eos_token_ = std::move(eos_token);
  return t;
}

Result<std::string> ChatTemplate::render(std::span<const Message> messages,
                                         AddGenerationPrompt add) const {
  Json context = {
      {"messages", Json::array()}, {"add_generation_prompt", add == AddGenerationPrompt::kYes},
      {"bos_token", bos_token_},   {"eos_token", eos_token_},
      {"tools", nullptr},          {"documents", nullptr}};
  for (const Message& m : messages)
    context["messages"].push_back({{"role", m.role}, {"content", m.content}});
  const std::string json = base::dump_json(context);
  ffi::Bytes out{}, error{};
  if (ffi::expunge_template_render(handle_.get(), json.data(), json.size(), &out, &error))
    return ffi::failed("chat template", error);
  return ffi::take(out);
}

std::vector<int64_t> EncodedChat::tokens_in(ByteRange range) const {
  std::vector<int64_t> positions;
  for (size_t i = 0; i < tokens.bytes.size(); ++i)
    if (tokens.bytes[i].begin < range.end && tokens.bytes[i].end > range.begin)
      positions.push_back(static_cast<int64_t>(i));
  return positions;
}

Result<EncodedChat> encode_chat(const Tokenizer& tokenizer, const ChatTemplate& chat,
                                std::span<const Message> messages, AddGenerationPrompt add,
                                std::string_view prefill) {
  const std::string breaker = pick_breaker(messages, prefill);
  if (breaker.empty())
    return base::fail(base::Code::kInvalid, "the messages hold every Unicode noncharacter");
  std::vector<Message> broken(messages.begin(), messages.end());
  for (Message& m : broken) m.content = break_specials(m.content, tokenizer, breaker);
  const std::string rendered =
      TRY(chat.render(broken, add)) + break_specials(std::string(prefill), tokenizer, breaker);
  EncodedChat result;
  result.tokens = TRY(encode_rendered(tokenizer, rendered, breaker, result.text));
  size_t from = 0;
  for (const Message& m : messages) {
    const std::string_view content = trimmed(m.content);
    const size_t at = result.text.find(content, from);
    if (at == std::string::npos) {
      result.contents.push_back({from, from});
      continue;
    }
    result.contents.push_back({at, at + content.size()});
    from = at + content.size();
  }
  return result;
}

}  // namespace expunge::text
