// expunge undo, verify and replay: what changes or checks the state that the journal describes.
#include "app/access.h"
#include "app/evidence.h"
#include "app/layout.h"

namespace expunge::app {
namespace {

using base::Json;
using base::Result;

Result<Answer> undo(Context& context, int64_t id) {
  Terminal& t = context.terminal;
  const auto session = TRY(open_session(context, journal::Mode::kUpdate));
  const repair::Undone undone = TRY(session->undo(id));
  t.line("{} entry {} in {}", t.paint(Tone::kGood, "Undone:"), undone.undone,
         duration(undone.seconds));
  t.line("weights {:.16}…{}", undone.weights_hash,
         undone.is_base ? ", bit for bit the model's file" : "");
  if (const std::string line = recheck_line(t, undone.others); !line.empty()) t.line("{}", line);
  return Answer{to_json(undone)};
}

Result<Answer> verify_entries(Context& context, int64_t id, bool details) {
  Terminal& t = context.terminal;
  const auto session = TRY(open_session(context, journal::Mode::kReadOrEmpty));
  const auto verified = TRY(session->verify(id));
  t.clear_progress();
  Answer answer;
  size_t sealed = 0, trained = 0;
  if (id == 0)
    for (const journal::Entry& e : TRY(session->journal().active())) {
      sealed += e.sealed;
      trained += !e.sealed && e.verdict == "trained";
    }
  answer.json = {
      {"passed", true}, {"sealed", sealed}, {"trained", trained}, {"entries", Json::array()}};
  for (const repair::Verified& v : verified) {
    t.line("{}", t.paint(Tone::kBold, fmt::format("entry {}", v.entry)));
    t.print(gate_table(t, nullptr, v.now));
    if (details) t.print(reply_list(t, v.now));
    Json json = verify::to_json(v.now, details ? verify::Detail::kItems : verify::Detail::kFigures);
    json["entry"] = v.entry;
    answer.json["entries"].push_back(std::move(json));
    if (!v.now.passed()) answer.json["passed"] = false;
  }
  if (sealed > 0) t.line("{} sealed and not asked: their words are gone", sealed);
  if (trained > 0) t.line("{} trained on sets and not asked: expunge eval asks them", trained);
  if (verified.empty() && sealed + trained == 0) t.line("No entry is active.");
  if (!answer.json["passed"].get<bool>())
    answer.exit_status = base::code_info(base::Code::kRefused).exit_status;
  return answer;
}

Result<Answer> replay(Context& context) {
  Terminal& t = context.terminal;
  const base::Stopwatch clock;
  const auto session = TRY(open_session(context, journal::Mode::kReadOrEmpty));
  TRY(session->journal().check());
  TRY(session->replay());
  const std::string hash = session->patient().model->weights_hash();
  const size_t n = TRY(session->journal().active()).size();
  const bool is_base = hash == TRY(session->base_hash());
  const std::string chain = TRY(session->journal().chain());
  t.line("{} the model's file and {} active {} give weights {:.16}… again ({})",
         t.paint(Tone::kGood, "Replayed:"), n, n == 1 ? "edit" : "edits", hash,
         duration(clock.seconds()));
  return Answer{Json{{"weights_hash", hash},
                     {"is_base", is_base},
                     {"active", n},
                     {"chain", chain},
                     {"seconds", clock.seconds()}}};
}

void add_id(CLI::App& cli, int64_t& id, const char* help) {
  cli.add_option("id", id, help)->type_name("")->check(CLI::PositiveNumber);
}

}  // namespace

extern const Command command_undo, command_verify, command_replay;
const Command command_undo{"undo", "take an edit back, bit for bit",
                           "Examples:\n  expunge undo\n  expunge undo 3",
                           [](CLI::App& cli) -> Action {
                             auto id = std::make_shared<int64_t>(0);
                             add_id(cli, *id, "an entry's number; default: the last active one");
                             return [id](Context& context) { return undo(context, *id); };
                           }};
const Command command_verify{
    "verify", "ask the gates of active entries again", "Exit status 8: a gate fails now.",
    [](CLI::App& cli) -> Action {
      auto o = std::make_shared<std::pair<int64_t, bool>>(0, false);
      add_id(cli, o->first, "an entry's number; default: all active ones");
      cli.add_flag("--details", o->second, "every question of the gates with its reply");
      return [o](Context& context) { return verify_entries(context, o->first, o->second); };
    }};
const Command command_replay{
    "replay", "build the weights again from file and journal, compare hashes",
    "Also checks every hash and link of the journal.",
    [](CLI::App&) -> Action { return [](Context& context) { return replay(context); }; }};

}  // namespace expunge::app
