// expunge methods: what 'forget --method' and 'unlearn --method' take, with knobs.
#include "cli/command.h"
#include "cli/layout.h"
#include "unlearn/method.h"

namespace expunge::cli {
namespace {

using base::Json;
using unlearn::Knob;
using unlearn::Needs;

std::string_view name(Needs need) {
  switch (need) {
    case Needs::kRetain:
      return "retain rows";
    case Needs::kRefusal:
      return "refusal prompts";
    case Needs::kPreparation:
      return "background";
    case Needs::kExamples:
      return "forget examples";
    case Needs::kRetainExamples:
      return "retain examples";
    case Needs::kRefusalExamples:
      return "refusals";
    case Needs::kWords:
      return "words of the forget examples";
  }
  return "";
}

std::string default_of(const Knob& k) {
  return k.choices.empty() ? fmt::format("{:g}", k.fallback)
                           : std::string(k.choices.at(static_cast<size_t>(k.fallback - k.low)));
}

void print_knob(Terminal& t, const Knob& k) {
  const std::string range = fmt::format("{} ({:g} … {:g})", default_of(k), k.low, k.high);
  const std::string names =
      k.choices.empty() ? "" : fmt::format("{}: ", fmt::join(k.choices, ", "));
  t.line("  {}{}{}", pad(k.name, 18), pad(range, 22),
         wrap(fmt::format("{}{}", names, k.help), kColumns - 42, 42));
}

Json to_json(const Knob& k) {
  Json knob = {{"name", k.name},
               {"default", k.fallback},
               {"low", k.low},
               {"high", k.high},
               {"help", k.help}};
  if (!k.choices.empty()) knob["choices"] = k.choices;
  return knob;
}

// The knobs of every training are printed once; of a method, its own and the defaults that differ.
base::Result<Answer> list(Context& context) {
  Terminal& t = context.terminal;
  Answer answer;
  answer.json = {{"methods", Json::array()}};
  const std::vector<Knob> common = unlearn::training_knobs({});
  for (const unlearn::Method* m : unlearn::methods()) {
    Json knobs = Json::array();
    std::vector<std::string_view> needs;
    for (const Needs need : unlearn::needs(*m)) needs.push_back(name(need));
    t.line("{}", t.paint(Tone::kBold, m->name));
    t.line("  {}", t.paint(Tone::kDim, wrap(m->citation, kColumns - 2, 2)));
    t.line("  needs {}", fmt::join(needs, ", "));
    std::string other;
    for (const Knob& k : m->knobs) {
      knobs.push_back(to_json(k));
      const auto shared = std::ranges::find(common, k.name, &Knob::name);
      if (!m->objective() || shared == common.end())
        print_knob(t, k);
      else if (shared->fallback != k.fallback)
        other += fmt::format("{}{} {}", other.empty() ? "" : ", ", k.name, default_of(k));
    }
    if (!other.empty()) t.line("  by default {}", other);
    answer.json["methods"].push_back({{"name", m->name},
                                      {"citation", m->citation},
                                      {"needs", needs},
                                      {"trains", m->objective() != nullptr},
                                      {"knobs", knobs}});
  }
  t.line("{}", t.paint(Tone::kBold, "Knobs of every method that trains (expunge unlearn)"));
  for (const Knob& k : common) print_knob(t, k);
  return answer;
}

}  // namespace

extern const Command command_methods;
const Command command_methods{
    "methods", "how edits can be made, with their settings", "",
    [](Arguments&) -> Action { return [](Context& context) { return list(context); }; }, kNoCommon};

}  // namespace expunge::cli
