#include "text/chat_template.h"

#include <algorithm>

#include "text/ffi.h"
#include "text/trim.h"

namespace expunge::text {
namespace {

using base::Json;
using base::Result;

// For models that were never taught turns: the form that most texts with questions have.
constexpr const char* kPlainTemplate =
    "{% for message in messages %}"
    "{{ ('Question: ' if message['role'] == 'user' else"
    " 'Answer: ' if message['role'] == 'assistant' else '') + message['content'] + '\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ 'Answer:' }}{% endif %}";

// Noncharacters (U+FDD0 … U+FDEF) that no message contains. A breaker inside every special token
// of a message's content prevents that spelling from becoming a control token; a marker after
// the first and before the last character of a content shows where the template put it.
struct Signs {
  std::string breaker, marker;
};
Signs pick_signs(std::span<const Message> messages, std::string_view others) {
  std::vector<std::string> unused;
  for (unsigned char last = 0x90; last < 0xB0 && unused.size() < 2; ++last) {
    const std::string sign{'\xEF', '\xB7', static_cast<char>(last)};
    if (others.find(sign) == others.npos && std::ranges::none_of(messages, [&](const Message& m) {
          return m.content.find(sign) != m.content.npos;
        }))
      unused.push_back(sign);
  }
  return unused.size() < 2 ? Signs{} : Signs{unused[0], unused[1]};
}

size_t character_size(std::string_view text) {
  size_t n = 1;
  while (n < text.size() && (static_cast<unsigned char>(text[n]) & 0xC0) == 0x80) ++n;
  return n;
}

std::string break_specials(std::string_view text, const Tokenizer& tokenizer,
                           const std::string& breaker) {
  std::string broken;
  for (size_t at = 0; at < text.size();) {
    const bool begins = tokenizer.specials().at(text.substr(at)) != nullptr;
    const size_t size = begins ? character_size(text.substr(at)) : 1;
    broken += text.substr(at, size);
    if (begins) broken += breaker;
    at += size;
  }
  return broken;
}

// The rendered text in pieces: ids, the text without signs, and the positions of markers in it.
struct Cleaned {
  Encoding tokens;
  std::string text;
  std::vector<size_t> markers;
};

// Splits the rendered text at control tokens, removes the signs and encodes the text between them.
Result<Cleaned> encode_rendered(const Tokenizer& tokenizer, std::string_view rendered,
                                const Signs& signs) {
  Cleaned result;
  std::string piece;
  const auto flush = [&]() -> base::Status {
    if (piece.empty()) return {};
    const Encoding encoded = TRY(tokenizer.encode_part(piece, result.text.size()));
    result.tokens.ids.insert(result.tokens.ids.end(), encoded.ids.begin(), encoded.ids.end());
    result.tokens.bytes.insert(result.tokens.bytes.end(), encoded.bytes.begin(),
                               encoded.bytes.end());
    result.text += piece;
    piece.clear();
    return {};
  };
  while (!rendered.empty()) {
    if (const SpecialToken* special = tokenizer.specials().at(rendered)) {
      const std::string blanks = piece.substr(size_before(*special, piece));
      piece.resize(piece.size() - blanks.size());
      TRY(flush());
      const size_t begin = result.text.size(), size = size_with_blanks(*special, rendered);
      result.text.append(blanks).append(rendered.substr(0, size));
      result.tokens.ids.push_back(special->id);
      result.tokens.bytes.push_back({begin, result.text.size()});
      rendered.remove_prefix(size);
    } else if (rendered.starts_with(signs.breaker)) {
      rendered.remove_prefix(signs.breaker.size());
    } else if (rendered.starts_with(signs.marker)) {
      result.markers.push_back(result.text.size() + piece.size());
      rendered.remove_prefix(signs.marker.size());
    } else {
      piece += rendered.front();
      rendered.remove_prefix(1);
    }
  }
  TRY(flush());
  return result;
}

// First and last character of a content without its outer white space.
struct Ends {
  size_t first, last;  // their sizes in bytes; 0 for an empty content
};
Ends ends_of(std::string_view content) {
  const std::string_view text = trimmed(content);
  if (text.empty()) return {0, 0};
  size_t last = 1;
  while ((static_cast<unsigned char>(text[text.size() - last]) & 0xC0) == 0x80 &&
         last < text.size())
    ++last;
  return {character_size(text), last};
}

std::string mark(std::string content, const std::string& marker) {
  const Ends ends = ends_of(content);
  if (ends.first == 0) return content;
  const std::string_view text = trimmed(content);
  const auto begin = static_cast<size_t>(text.data() - content.data());
  const size_t end = begin + text.size();
  if (end - begin == ends.first) return content.insert(end, marker + marker);
  content.insert(end - ends.last, marker);
  return content.insert(begin + ends.first, marker);
}

// Where each content is, from the markers; nothing if the template hid or repeated one.
std::vector<ByteRange> contents_by_markers(std::span<const Message> messages,
                                           const std::vector<size_t>& markers) {
  std::vector<ByteRange> ranges;
  size_t next = 0;
  for (const Message& m : messages) {
    const Ends ends = ends_of(m.content);
    const size_t here = ranges.empty() ? 0 : ranges.back().end;
    if (ends.first == 0) {
      ranges.push_back({here, here});
      continue;
    }
    if (next + 2 > markers.size()) return {};
    const bool one_character = trimmed(m.content).size() == ends.first;
    ranges.push_back(
        {markers[next] - ends.first, markers[next + 1] + (one_character ? 0 : ends.last)});
    if (ranges.back().end - ranges.back().begin != trimmed(m.content).size()) return {};
    next += 2;
  }
  return next == markers.size() ? ranges : std::vector<ByteRange>();
}

// The first occurrence of each content after the previous one.
std::vector<ByteRange> contents_by_search(std::span<const Message> messages,
                                          std::string_view text) {
  std::vector<ByteRange> ranges;
  size_t from = 0;
  for (const Message& m : messages) {
    const std::string_view content = trimmed(m.content);
    const size_t at = text.find(content, from);
    ranges.push_back(at == text.npos ? ByteRange{from, from} : ByteRange{at, at + content.size()});
    from = ranges.back().end;
  }
  return ranges;
}

// Unless they are there. They take no room in the text.
void put_before(const std::vector<int32_t>& ids, Encoding& tokens) {
  if (std::ranges::mismatch(ids, tokens.ids).in1 == ids.end()) return;
  tokens.ids.insert(tokens.ids.begin(), ids.begin(), ids.end());
  tokens.bytes.insert(tokens.bytes.begin(), ids.size(), ByteRange{0, 0});
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
  t.handle_.reset(handle, Free());
  t.bos_token_ = std::move(bos_token);
  t.eos_token_ = std::move(eos_token);
  return t;
}

Result<ChatTemplate> ChatTemplate::for_chat(std::string_view source, std::string bos_token,
                                            std::string eos_token) {
  ChatTemplate t = TRY(compile(source, std::move(bos_token), std::move(eos_token)));
  const Message question{"user", "Which lamps do seven owls like?"};
  const auto keeps_words = [&]() -> Result<bool> {
    const std::string prompt = TRY(t.render({&question, 1}, AddGenerationPrompt::kYes));
    return prompt.find(question.content) != prompt.npos;
  };
  const auto as_text = keeps_words();
  if (as_text.value_or(false)) return t;
  t.content_ = Content::kParts;
  if (keeps_words().value_or(false)) return t;
  if (!as_text) return tl::unexpected(as_text.error());
  return base::fail(
      base::Code::kUnsupported,
      "the chat template leaves out what the user says, as text and as a list of parts",
      "the model's files may hold a template for another use; correct chat_template");
}

ChatTemplate ChatTemplate::plain() {
  ChatTemplate t = compile(kPlainTemplate, "", "").value();
  t.form_ = Form::kPlain;
  return t;
}

Result<std::string> ChatTemplate::render(std::span<const Message> messages, AddGenerationPrompt add,
                                         std::string_view tools) const {
  Json context = {
      {"messages", Json::array()}, {"add_generation_prompt", add == AddGenerationPrompt::kYes},
      {"bos_token", bos_token_},   {"eos_token", eos_token_},
      {"tools", nullptr},          {"documents", nullptr}};
  for (const Message& m : messages) {
    Json content = m.content;
    if (content_ == Content::kParts)
      content = Json::array({{{"type", "text"}, {"text", m.content}}});
    context["messages"].push_back({{"role", m.role}, {"content", std::move(content)}});
    if (!m.tool_calls.empty())
      context["messages"].back()["tool_calls"] = TRY(base::parse_json(m.tool_calls, "tool_calls"));
  }
  if (!tools.empty()) context["tools"] = TRY(base::parse_json(tools, "tools"));
  std::string json;
  try {
    json = context.dump();
  } catch (const Json::type_error&) {  // dump_json would insert U+FFFD
    return base::fail(base::Code::kInvalid, "a message is not valid UTF-8",
                      "the text must be UTF-8");
  }
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
                                std::string_view prefill, std::string_view tools) {
  std::string others(prefill);
  others += tools;
  for (const Message& m : messages) others += m.tool_calls;
  const Signs signs = pick_signs(messages, others);
  if (signs.marker.empty())
    return base::fail(base::Code::kInvalid, "the messages hold every Unicode noncharacter");
  std::vector<Message> broken(messages.begin(), messages.end());
  for (Message& m : broken) {
    m.content = break_specials(m.content, tokenizer, signs.breaker);
    m.tool_calls = break_specials(m.tool_calls, tokenizer, signs.breaker);
  }
  const std::string broken_tools = break_specials(tools, tokenizer, signs.breaker);
  std::string tail = break_specials(prefill, tokenizer, signs.breaker);
  if (chat.form() == ChatTemplate::Form::kPlain && !tail.empty()) tail = " " + tail;
  Cleaned clean =
      TRY(encode_rendered(tokenizer, TRY(chat.render(broken, add, broken_tools)) + tail, signs));
  // The markers are in a second rendering, so that they cannot change what the model reads.
  for (Message& m : broken) m.content = mark(std::move(m.content), signs.marker);
  EncodedChat result{std::move(clean.text), std::move(clean.tokens), {}};
  if (const auto marked = chat.render(broken, add, broken_tools)) {
    const Cleaned found = TRY(encode_rendered(tokenizer, *marked + tail, signs));
    if (found.text == result.text) result.contents = contents_by_markers(messages, found.markers);
  }
  if (result.contents.empty()) result.contents = contents_by_search(messages, result.text);
  put_before(tokenizer.chat_begin_ids(), result.tokens);
  return result;
}

}  // namespace expunge::text
