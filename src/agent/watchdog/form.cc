#include "agent/watchdog/form.h"

#include <algorithm>
#include <cctype>
#include <cmath>

namespace expunge::agent {
namespace {

constexpr size_t kMaxQuestion = 400;  // bytes
constexpr size_t kMostTurns = 9;      // longer dialogues were hardly trained on

// The lines of a target: question, answer, and for a correction the replacement.
size_t lines_each(Intent intent) { return intent == Intent::kCorrect ? 3 : 2; }

Intent intent_of(std::string_view word) { return intent_from_name(word).value_or(Intent::kNone); }

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)); }

// Whether text[at - 1] and text[at] stand within one written thing: a word, an address such as
// ada.b@example.org, a number such as 3,500.50 or 47-B.
bool is_within(std::string_view text, size_t at) {
  const char before = text[at - 1], after = text[at];
  if (!is_word(after)) return false;
  if (is_word(before)) return true;
  return at > 1 && std::string_view(".,@_-+&'").find(before) != std::string_view::npos &&
         is_word(text[at - 2]);
}

}  // namespace

std::string watchdog_prompt(std::span<const text::Message> dialogue, size_t most) {
  if (dialogue.size() > kMostTurns) dialogue = dialogue.last(kMostTurns);
  std::vector<std::string> turns;
  for (const text::Message& m : dialogue) turns.push_back(m.role + ": " + single_spaced(m.content));
  if (std::string& last = turns.back(); last.size() > most) {
    // Whole characters: a byte that continues one is never the first of a part.
    size_t head = most / 2, tail = last.size() - most / 2;
    const auto continues = [&](size_t at) { return (last[at] & 0xC0) == 0x80; };
    while (head > 0 && continues(head)) --head;
    while (tail < last.size() && continues(tail)) ++tail;
    last = last.substr(0, head) + " … " + last.substr(tail);
  }
  size_t first = turns.size(), size = 0;
  while (first > 0 && (first == turns.size() || size + turns[first - 1].size() <= most))
    size += turns[--first].size() + 1;
  std::string prompt = "watchdog";
  for (size_t i = first; i < turns.size(); ++i) prompt += "\n" + turns[i];
  return prompt;
}

Copying::Copying(std::string_view prompt) {
  // Without the roles.
  size_t at = prompt.find('\n');
  while (at != prompt.npos) {
    const size_t end = std::min(prompt.find('\n', at + 1), prompt.size());
    const std::string_view line = prompt.substr(at + 1, end - at - 1);
    text_ += "\n" + std::string(line.substr(std::min(line.size(), line.find(": ") + 2)));
    at = end == prompt.size() ? prompt.npos : end;
  }
  text_ += "\n";
}

std::vector<size_t> Copying::places(std::string_view span) const {
  std::vector<size_t> found;
  for (size_t at = 1; at < text_.size(); ++at) {
    if (text_[at] == '\n' || text_[at] == ' ' || (text_[at] & 0xC0) == 0x80) continue;
    if (is_within(text_, at)) continue;
    if (std::string_view(text_).substr(at).starts_with(span)) found.push_back(at);
  }
  return found;
}

std::vector<int32_t> Copying::continuations(std::string_view begun,
                                            const Vocabulary& vocabulary) const {
  std::vector<int32_t> ids;
  const bool is_first = begun.empty();  // not even the space is written
  const std::string_view span = is_first ? begun : begun.substr(1);
  for (const size_t place : places(span)) {
    const size_t at = place + span.size();
    const std::string_view rest = std::string_view(text_).substr(at, text_.find('\n', at) - at);
    const size_t most = std::min(rest.size(), vocabulary.longest());
    for (size_t n = 1; n <= most; ++n)
      if (const int32_t id =
              vocabulary.id_of((is_first ? " " : "") + std::string(rest.substr(0, n)));
          id >= 0)
        ids.push_back(id);
  }
  if (is_first && !ids.empty()) ids.push_back(vocabulary.id_of(" "));
  std::ranges::sort(ids);
  const auto same = std::ranges::unique(ids);
  ids.erase(same.begin(), same.end());
  return ids;
}

bool Copying::may_end(std::string_view begun) const {
  if (begun.size() < 2 || begun.back() == ' ') return false;
  const std::string_view span = begun.substr(1);
  return std::ranges::any_of(places(span), [&](size_t place) {
    const size_t end = place + span.size();
    if ((text_[end] & 0xC0) == 0x80 || is_within(text_, end)) return false;
    // Not before what joins it to the rest: ada of ada@example.org. A possessive may follow.
    return !(std::string_view(".,@_").find(text_[end]) != std::string_view::npos &&
             is_within(text_, end + 1));
  });
}

// Nothing is wanted only if that is twice as likely as the likeliest wish: a wish that is not sure
// is asked about, and costs the user a word.
constexpr double kNoneOdds = 2;

// The intent's logit is that of its first token, by which the five words differ.
void WatchdogGrammar::choose_intent(Choice& choice) {
  std::vector<int32_t> words;
  for (size_t i = 0; i < kIntents; ++i)
    words.push_back(choice.vocabulary().beginning_of(name(static_cast<Intent>(i))));
  double most = choice.logit(words[0]), sum = 0;
  for (const int32_t id : words) most = std::max<double>(most, choice.logit(id));
  for (size_t i = 0; i < kIntents; ++i)
    sum += probabilities_[i] = std::exp(choice.logit(words[i]) - most);
  for (double& p : probabilities_) p /= sum;
  const double wish = *std::max_element(probabilities_.begin(), probabilities_.end() - 1);
  const size_t none = static_cast<size_t>(Intent::kNone);
  static_assert(static_cast<size_t>(Intent::kNone) + 1 == kIntents);
  const bool wanted = probabilities_[none] < kNoneOdds * wish;
  choice.allow_only(std::span(words).first(wanted ? none : kIntents));
}

void WatchdogGrammar::copy(std::string_view span, bool is_last, Choice& choice) const {
  const Vocabulary& v = choice.vocabulary();
  std::vector<int32_t> ids;
  if (span != " -") ids = copying_.continuations(span, v);
  if (span.empty()) ids.push_back(v.id_of(" -"));
  if (span == " -" || copying_.may_end(span) || ids.empty()) {
    ids.push_back(v.id_of("\n"));
    if (is_last) ids.insert(ids.end(), v.end_ids().begin(), v.end_ids().end());
  }
  choice.allow_only(ids);
}

void WatchdogGrammar::constrain(std::string_view written, Choice& choice) {
  const Vocabulary& v = choice.vocabulary();
  if (written.empty()) return choose_intent(choice);
  const int32_t line_end = v.id_of("\n");
  const auto n_lines = static_cast<size_t>(std::ranges::count(written, '\n'));
  if (n_lines == 0) {
    if (intent_from_name(written)) return choice.allow_only({&line_end, 1});
    // In a vocabulary that has the word in pieces.
    for (size_t i = 0; i < kIntents; ++i)
      if (const std::string_view word = name(static_cast<Intent>(i)); word.starts_with(written)) {
        const int32_t next = v.beginning_of(word.substr(written.size()));
        return choice.allow_only({&next, 1});
      }
  }
  const Intent intent = intent_of(written.substr(0, written.find('\n')));
  const size_t each = lines_each(intent), kind = (n_lines - 1) % each;
  const std::string_view line = written.substr(written.rfind('\n') + 1);
  if (line.empty()) {
    std::vector<int32_t> labels = {v.id_of(kind == 0 ? "Q" : kind == 1 ? "A" : "R")};
    if (kind == 0 && intent == Intent::kForget) labels.push_back(v.id_of("T"));
    return choice.allow_only(labels);
  }
  const std::string_view rest = line.substr(1);
  if (kind > 0) {
    const bool is_full = n_lines >= kMaxTargets * each;
    copy(rest, kind + 1 == each, choice);
    if (is_full) choice.forbid({&line_end, 1});
    return;
  }
  if (rest.empty()) return choice.allow_only(v.spaced());
  if (rest.size() >= kMaxQuestion) return choice.allow_only({&line_end, 1});
  const float end = choice.logit(line_end);
  choice.forbid(v.breaking());
  choice.forbid(v.end_ids());
  if (rest.find_first_not_of(' ') != rest.npos) choice.restore(line_end, end);
}

bool WatchdogGrammar::is_complete(std::string_view written) const {
  const auto intent = intent_from_name(written);
  return intent && !edits(*intent);
}

WatchdogReply parse_watchdog_reply(std::string_view reply) {
  std::vector<std::string> lines;
  for (size_t at = 0; at <= reply.size();) {
    const size_t end = std::min(reply.find('\n', at), reply.size());
    lines.emplace_back(reply.substr(at, end - at));
    at = end + 1;
  }
  WatchdogReply parsed{intent_of(lines[0]), {}};
  if (!edits(parsed.intent)) return parsed;
  const size_t each = lines_each(parsed.intent);
  const auto text = [&](size_t i) {
    const std::string rest =
        single_spaced(std::string_view(lines[i]).substr(std::min<size_t>(1, lines[i].size())));
    return rest == "-" ? std::string() : rest;
  };
  for (size_t i = 1; i + each <= lines.size(); i += each) {
    WatchdogTarget t{text(i), text(i + 1), each == 3 ? text(i + 2) : "", lines[i].starts_with("T")};
    // What is to be replaced by itself was misread.
    if (t.prompt.empty() || (each == 3 && (t.replacement.empty() || t.replacement == t.response)))
      break;
    parsed.targets.push_back(std::move(t));
  }
  return parsed;
}

}  // namespace expunge::agent
