// expunge log, show and seal: the journal's contents. No weights are computed.
#include "service/entries.h"

#include "cli/access.h"
#include "cli/evidence.h"
#include "cli/layout.h"
#include "service/json.h"

namespace expunge::cli {
namespace {

using base::Json;
using base::Result;
using service::LoggedEntry;

Tone tone_of(const LoggedEntry& e) {
  if (!e.active) return Tone::kDim;
  return e.entry.verdict == "partial" ? Tone::kWarn : Tone::kGood;
}

Result<Answer> log(Context& context) {
  Terminal& t = context.terminal;
  const service::Log log = TRY(service::read_log(place_of(context)));
  for (const LoggedEntry& e : log.entries) {
    const std::string when = e.entry.time.substr(0, 10) + " " + e.entry.time.substr(11, 5);
    t.line("{:>4}  {}  {}  {}", e.entry.id, t.paint(Tone::kDim, when),
           t.paint(tone_of(e), pad(service::state_of(e), 15)),
           fit(service::title(e.entry), kColumns - 41));
  }
  if (log.entries.empty())
    t.line("Nothing has been forgotten yet.");
  else
    t.line("{}",
           t.paint(Tone::kDim, fmt::format("      {} active, times in UTC", log.active.size())));
  return Answer{service::to_json(log)};
}

void print_entry(Terminal& t, const LoggedEntry& logged) {
  const journal::Entry& e = logged.entry;
  const auto row = [&](std::string_view key, const std::string& value) {
    if (!value.empty())
      t.line("{}{}", t.paint(Tone::kDim, pad(key, 10)), fit(value, kColumns - 10));
  };
  t.line("{}", t.paint(Tone::kBold, fit(fmt::format("{}  {}", e.id, service::title(e)), kColumns)));
  row("kind", std::string(journal::name(e.kind)) + (e.sealed ? ", sealed" : ""));
  row("state", service::state_of(logged) + (e.undoes != 0 ? fmt::format(" of {}", e.undoes) : ""));
  row("time", e.time);
  row("method", e.method);
  row("edit",
      e.edit_hash.empty() ? "" : fmt::format("{:.16}… {} bytes", e.edit_hash, e.edit_bytes));
  row("weights", e.weights_hash);
  row("model", e.base_hash);
  row("made by", fmt::format("expunge {}, LibTorch {}, seed {}", e.expunge, e.libtorch, e.seed));
}

Result<Answer> show(Context& context, int64_t id) {
  Terminal& t = context.terminal;
  const auto evidence = TRY(service::read_entry(place_of(context), id));
  print_entry(t, evidence.entry);
  if (!evidence.after.gates.empty()) {
    t.print(
        gate_table(t, evidence.before.gates.empty() ? nullptr : &evidence.before, evidence.after));
    t.print(reply_list(t, evidence.after));
  }
  return Answer{service::to_json(evidence.entry)};
}

Result<Answer> seal(Context& context, int64_t id) {
  TRY(service::seal_entry(place_of(context), id));
  context.terminal.line("Entry {} is sealed: its words are out of the journal.", id);
  return Answer{Json{{"sealed", id}}};
}

void add_id(Arguments& cli, int64_t& id) {
  cli.add_option("id", id, "an entry's number, as 'expunge log' shows it")
      ->type_name("")
      ->required()
      ->positive();
}

// The model says which journal; nothing is computed.
constexpr CommonSet kOfAJournal = {Common::kModel, Common::kJournal};

}  // namespace

extern const Command command_log, command_show, command_seal;
const Command command_log{
    "log", "what has been forgotten, and undone", "",
    [](Arguments&) -> Action { return [](Context& context) { return log(context); }; },
    kOfAJournal};
const Command command_show{"show", "one entry with its evidence", "Example:\n  expunge show 1",
                           [](Arguments& cli) -> Action {
                             auto id = std::make_shared<int64_t>(0);
                             add_id(cli, *id);
                             return [id](Context& context) { return show(context, *id); };
                           },
                           kOfAJournal};
const Command command_seal{
    "seal", "take an entry's words out of the journal",
    "Hashes, figures and the edit stay: the entry can be undone, not asked again.\n"
    "Example:\n  expunge seal 1",
    [](Arguments& cli) -> Action {
      auto id = std::make_shared<int64_t>(0);
      add_id(cli, *id);
      return [id](Context& context) { return seal(context, *id); };
    },
    kOfAJournal};

}  // namespace expunge::cli
