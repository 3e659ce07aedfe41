#include "agent/language_model.h"

#include <re2/re2.h>

#include <algorithm>

namespace expunge::agent {

Vocabulary::Vocabulary(std::vector<std::string> bytes, std::vector<int32_t> end_ids)
    : bytes_(std::move(bytes)), end_ids_(std::move(end_ids)) {
  for (size_t i = 0; i < bytes_.size(); ++i) {
    const std::string& text = bytes_[i];
    if (text.empty()) continue;
    const auto id = static_cast<int32_t>(i);
    ids_.try_emplace(text, id);
    longest_ = std::max(longest_, text.size());
    if (text.find('\n') != text.npos || text.find('\r') != text.npos) breaking_.push_back(id);
    if (text.front() == ' ') spaced_.push_back(id);
  }
}

int32_t Vocabulary::id_of(std::string_view bytes) const {
  const auto found = ids_.find(bytes);
  return found == ids_.end() ? -1 : found->second;
}

int32_t Vocabulary::beginning_of(std::string_view text) const {
  for (size_t n = std::min(text.size(), longest_); n > 0; --n)
    if (const int32_t id = id_of(text.substr(0, n)); id >= 0) return id;
  return -1;
}

void Choice::forbid(std::span<const int32_t> ids) {
  for (const int32_t id : ids)
    logits_[static_cast<size_t>(id)] = -std::numeric_limits<float>::infinity();
}

void Choice::allow_only(std::span<const int32_t> ids) {
  std::vector<std::pair<int32_t, float>> kept;
  for (const int32_t id : ids)
    if (id >= 0) kept.emplace_back(id, logit(id));
  CHECK(!kept.empty(), "a grammar allows no token");
  std::ranges::fill(logits_, -std::numeric_limits<float>::infinity());
  for (const auto& [id, value] : kept) logits_[static_cast<size_t>(id)] = value;
}

std::string single_spaced(std::string_view text) {
  static const RE2 kSpaces(R"([\t-\r\x1c-\x1f \x{85}\p{Z}]+)");
  std::string line(text);
  RE2::GlobalReplace(&line, kSpaces, " ");
  const size_t first = line.find_first_not_of(' ');
  if (first == line.npos) return {};
  return line.substr(first, line.find_last_not_of(' ') + 1 - first);
}

}  // namespace expunge::agent
