#include "service/slash_command.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <vector>

#include "cli/layout.h"

namespace expunge::service {
namespace {

using base::fail;
using base::Result;
using Kind = SlashCommand::Kind;

constexpr std::string_view kBlanks = " \t\r";

struct Name {
  std::string_view text;
  Kind kind;
};
constexpr std::array<Name, 6> kNames = {{{"/log", Kind::kLog},
                                         {"/undo", Kind::kUndo},
                                         {"/clear", Kind::kClear},
                                         {"/help", Kind::kHelp},
                                         {"/quit", Kind::kQuit},
                                         {"/exit", Kind::kQuit}}};

std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> words;
  for (size_t at = 0; (at = line.find_first_not_of(kBlanks, at)) != line.npos;) {
    const size_t end = std::min(line.find_first_of(kBlanks, at), line.size());
    words.push_back(line.substr(at, end - at));
    at = end;
  }
  return words;
}

// The part of a line that an error message shows: its beginning, in one line.
std::string shown(std::string_view text) { return fit(printable(std::string(text)), 40); }

std::optional<int64_t> entry_number(std::string_view word) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc() || end != word.data() + word.size() || value < 1) return std::nullopt;
  return value;
}

}  // namespace

Result<SlashCommand> parse_slash_command(std::string_view line) {
  std::vector<std::string_view> words = words_of(line);
  const auto known =
      words.empty() ? kNames.end() : std::ranges::find(kNames, words[0], &Name::text);
  if (known == kNames.end())
    return fail(base::Code::kUsage,
                fmt::format("no command is called '{}'", shown(words.empty() ? line : words[0])),
                "there are /log, /undo, /clear, /help and /quit");
  SlashCommand command{known->kind, std::nullopt};
  words.erase(words.begin());
  if (command.kind != Kind::kUndo) {
    if (words.empty()) return command;
    return fail(base::Code::kUsage,
                fmt::format("{} takes nothing after it, got '{}'", known->text, shown(words[0])));
  }
  if (words.empty()) return command;
  const size_t last = words.size() == 2 && words[0] == "entry" ? 1 : 0;
  if (words.size() == last + 1) command.entry = entry_number(words[last]);
  if (command.entry) return command;
  const auto begin = static_cast<size_t>(words[0].data() - line.data());
  return fail(
      base::Code::kUsage,
      fmt::format("/undo takes the number of an entry, got '{}'", shown(line.substr(begin))),
      "e.g. /undo 3, or /undo alone for the last one; /log lists them");
}

}  // namespace expunge::service
