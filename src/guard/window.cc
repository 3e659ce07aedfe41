#include "guard/window.h"

#include <algorithm>

#include "base/utf8.h"

namespace expunge::guard {
namespace {

// What is looked at again before what is held, and what is kept of the text said.
constexpr size_t kContext = 256, kKept = 64 << 10;

// Without a character at the end that is not yet whole.
size_t whole_chars(std::string_view text) {
  for (size_t back = 1; back <= 3 && back <= text.size(); ++back) {
    const auto byte = static_cast<unsigned char>(text[text.size() - back]);
    if ((byte & 0xC0) == 0x80) continue;
    const size_t size = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC2 ? 2 : 1;
    return size > back ? text.size() - back : text.size();
  }
  return text.size();
}

size_t char_begin(std::string_view text, size_t at) {
  while (at > 0 && at < text.size() && (text[at] & 0xC0) == 0x80) --at;
  return at;
}

// Whether what follows could make another word of it.
bool is_open(std::string_view text, const Hit& hit) {
  for (const char c : text.substr(hit.end)) {
    const bool goes_on = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
                         static_cast<unsigned char>(c) >= 0x80;
    if (!goes_on) return false;
  }
  return text.size() - hit.end < 4;
}

}  // namespace

std::vector<Hit> Window::look(size_t end, bool is_end) {
  const std::string_view text = std::string_view(text_).substr(0, end);
  // Names by first letters need all of the text: it is scanned whenever it has grown by half.
  if (is_end || end >= scanned_ + scanned_ / 2 + 256) {
    scanned_ = end;
    return scanner_.find(text, is_end ? 0 : said_, Scanner::Words::kJudged);
  }
  const size_t from = char_begin(text, said_ - std::min(said_, kContext));
  if (scanner_.find(text.substr(from), said_ - from, Scanner::Words::kNames).empty()) return {};
  return scanner_.find(text, said_, Scanner::Words::kJudged);
}

std::string Window::push(std::string_view piece) {
  if (!hits_.empty()) return {};
  text_ += piece;
  const size_t end = whole_chars(text_);
  if (end <= said_) return {};
  const std::string_view text = std::string_view(text_).substr(0, end);
  size_t most = end;
  for (Hit hit : look(end, false)) {
    if (is_open(text, hit)) {
      most = std::min(most, hit.begin);
      continue;
    }
    hit.begin += dropped_;
    hit.end += dropped_;
    hits_.push_back(hit);
  }
  if (!hits_.empty()) return {};
  const size_t from = char_begin(text, said_ - std::min(said_, kContext));
  const size_t settled = std::min(most, from + scanner_.settled(text.substr(from)));
  if (settled <= said_) return {};
  std::string out = text_.substr(said_, settled - said_);
  said_ = settled;
  if (said_ > 2 * kKept) {
    const size_t drop = char_begin(text_, said_ - kKept);
    text_.erase(0, drop);
    dropped_ += drop;
    said_ -= drop;
    scanned_ -= std::min(scanned_, drop);
  }
  return out;
}

std::string Window::end() {
  if (!hits_.empty()) return {};
  for (Hit hit : look(text_.size(), true)) {
    hit.begin += dropped_;
    hit.end += dropped_;
    hits_.push_back(hit);
  }
  if (!hits_.empty()) return {};
  std::string out = text_.substr(said_);
  said_ = text_.size();
  return out;
}

}  // namespace expunge::guard
