#include "agent/surgeon/form.h"

#include <algorithm>

namespace expunge::agent {
namespace {

constexpr size_t kMaxLine = 300;  // bytes

}  // namespace

std::string surgeon_prompt(std::string_view question, std::string_view answer) {
  const std::string known = single_spaced(answer);
  return "surgeon\n" + single_spaced(question) + "\n" + (known.empty() ? "-" : known);
}

void SurgeonGrammar::constrain(std::string_view written, Choice& choice) {
  const Vocabulary& v = choice.vocabulary();
  const std::string_view line = written.substr(written.rfind('\n') + 1);
  const int32_t line_end = v.id_of("\n");
  if (line.empty()) {
    const int32_t label = v.id_of({&label_, 1});
    return choice.allow_only({&label, 1});
  }
  if (line.size() == 1) return choice.allow_only(v.spaced());
  const bool is_list = label_ == 'N' || label_ == 'S';
  const bool has_room =
      static_cast<size_t>(std::ranges::count(written, '\n')) + 1 < SurgeonGrammar::kMostLines;
  if (line.size() >= kMaxLine) return choice.allow_only(v.end_ids());
  const float next = choice.logit(line_end);
  choice.forbid(v.breaking());
  if (line.find_first_not_of(' ', 1) == line.npos)
    choice.forbid(v.end_ids());
  else if (is_list && has_room)
    choice.restore(line_end, next);
}

std::vector<std::string> parse_surgeon_reply(std::string_view reply) {
  std::vector<std::string> lines;
  for (size_t at = 0; at < reply.size();) {
    const size_t end = std::min(reply.find('\n', at), reply.size());
    if (end > at + 1)
      if (std::string line = single_spaced(reply.substr(at + 1, end - at - 1)); !line.empty())
        lines.push_back(std::move(line));
    at = end + 1;
  }
  return lines;
}

}  // namespace expunge::agent
