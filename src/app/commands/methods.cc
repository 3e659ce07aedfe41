// expunge methods: what 'forget --method' takes, with knobs.
#include "app/command.h"
#include "app/layout.h"
#include "unlearn/method.h"

namespace expunge::app {
namespace {

base::Result<Answer> list(Context& context) {
  Terminal& t = context.terminal;
  Answer answer;
  answer.json = {{"methods", base::Json::array()}};
  for (const unlearn::Method* m : unlearn::methods()) {
    base::Json knobs = base::Json::array();
    t.line("{}", t.paint(Tone::kBold, m->name));
    t.line("  {}", t.paint(Tone::kDim, wrap(m->citation, kColumns - 2, 2)));
    for (const unlearn::Knob& k : m->knobs) {
      const std::string fallback =
          k.choices.empty() ? fmt::format("{:g}", k.fallback)
                            : std::string(k.choices.at(static_cast<size_t>(k.fallback - k.low)));
      const std::string range = fmt::format("{} ({:g} … {:g})", fallback, k.low, k.high);
      const std::string names =
          k.choices.empty() ? "" : fmt::format("{}: ", fmt::join(k.choices, ", "));
      t.line("  {}{}{}", pad(k.name, 14), pad(range, 22),
             wrap(fmt::format("{}{}", names, k.help), kColumns - 38, 38));
      base::Json knob = {{"name", k.name},
                         {"default", k.fallback},
                         {"low", k.low},
                         {"high", k.high},
                         {"help", k.help}};
      if (!k.choices.empty()) knob["choices"] = k.choices;
      knobs.push_back(std::move(knob));
    }
    answer.json["methods"].push_back(
        {{"name", m->name}, {"citation", m->citation}, {"knobs", knobs}});
  }
  return answer;
}

}  // namespace

extern const Command command_methods;
const Command command_methods{
    "methods", "how edits can be made, with their settings", "",
    [](CLI::App&) -> Action { return [](Context& context) { return list(context); }; }};

}  // namespace expunge::app
