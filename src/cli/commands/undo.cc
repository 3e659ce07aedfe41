// expunge undo and replay: what changes or rebuilds the state that the journal describes.
#include "cli/access.h"
#include "cli/evidence.h"
#include "cli/layout.h"
#include "service/json.h"

namespace expunge::cli {
namespace {

using base::Result;

Result<Answer> undo(Context& context, int64_t id) {
  Terminal& t = context.terminal;
  const auto session = TRY(open_session(context, journal::Mode::kUpdate));
  const service::Undone undone = TRY(session->undo(id));
  t.line("{} entry {} in {}", t.paint(Tone::kGood, "Undone:"), undone.undone,
         duration(undone.seconds));
  t.line("weights {:.16}…{}", undone.weights_hash,
         undone.is_base ? ", bit for bit the model's file" : "");
  if (const std::string line = recheck_line(t, undone.others); !line.empty()) t.line("{}", line);
  return Answer{service::to_json(undone)};
}

Result<Answer> replay(Context& context) {
  Terminal& t = context.terminal;
  const auto replayed = TRY(service::replay(place_of(context), context.job));
  t.line("{} the model's file and {} active {} give weights {:.16}… again ({})",
         t.paint(Tone::kGood, "Replayed:"), replayed.active,
         replayed.active == 1 ? "edit" : "edits", replayed.weights_hash,
         duration(replayed.seconds));
  return Answer{service::to_json(replayed)};
}

}  // namespace

extern const Command command_undo, command_replay;
const Command command_undo{
    "undo", "take an edit back, bit for bit", "Examples:\n  expunge undo\n  expunge undo 3",
    [](Arguments& cli) -> Action {
      auto id = std::make_shared<int64_t>(0);
      cli.add_option("id", *id, "an entry's number; default: the last active one")
          ->type_name("")
          ->positive();
      return [id](Context& context) { return undo(context, *id); };
    }};
const Command command_replay{
    "replay", "build the weights again from file and journal, compare hashes",
    "Also checks every hash and link of the journal.",
    [](Arguments&) -> Action { return [](Context& context) { return replay(context); }; }};

}  // namespace expunge::cli
