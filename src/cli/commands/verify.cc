// expunge verify: the gates of active entries, asked again.
#include "cli/access.h"
#include "cli/evidence.h"
#include "cli/layout.h"
#include "cli/signals.h"
#include "service/entries.h"
#include "service/training.h"

namespace expunge::cli {
namespace {

using base::Code;
using base::fail;
using base::Json;
using base::Result;

struct Options {
  int64_t id = 0;
  bool details = false;
  std::string forget, retain, data = "data/tofu";
};

// The set that the entry was trained on, if `split` is it; else nothing.
Result<std::optional<std::vector<text::QaItem>>> set_of(const journal::Entry& e, const char* which,
                                                        const Options& o,
                                                        const std::string& split) {
  const Json& known = e.request.at("examples").at(which);
  const auto n = known.value("items", size_t{0});
  if (n == 0 || split.empty()) return std::vector<text::QaItem>();
  auto items = TRY(text::read_qa(TRY(text::qa_file(o.data, split)), n));
  if (service::hash_of(items) != known.value("sha256", "")) return std::nullopt;
  return items;
}

// The journal does not hold the sets of a training: the user names them, their hashes tell whose
// they are.
Result<std::vector<repair::Verified>> verify_trained(const Options& o, service::Session& session,
                                                     Context& context) {
  std::vector<repair::Verified> verified;
  for (const journal::Entry& e : TRY(session.active())) {
    if (e.sealed || !service::is_trained(e) || (o.id != 0 && e.id != o.id)) continue;
    auto forget = TRY(set_of(e, "forget", o, o.forget));
    if (!forget) continue;
    auto retain = TRY(set_of(e, "retain", o, o.retain));
    if (!retain)
      return fail(Code::kConflict,
                  fmt::format("entry {} kept another set than {}", e.id, printable(o.retain)),
                  "give the --retain it was trained with");
    const base::Job job = foreground_job().reporting(context.terminal.progress());
    const service::SetFigures now = TRY(service::probabilities(
        session.present(), e.request.value("system", ""), *forget, *retain, job));
    verified.push_back({e.id, service::trained_report(e, to_json(now))});
  }
  if (!verified.empty()) return verified;
  const std::string set = printable(o.forget);
  return fail(Code::kNotFound,
              o.id != 0 ? fmt::format("entry {} is not active or was not trained on {}", o.id, set)
                        : fmt::format("no active entry was trained on {}", set),
              "expunge log shows which entries are active");
}

Result<Answer> verify_entries(const Options& o, Context& context) {
  Terminal& t = context.terminal;
  const auto session = TRY(open_session(context, journal::Mode::kReadOrEmpty));
  std::vector<repair::Verified> verified;
  if (!o.forget.empty()) verified = TRY(verify_trained(o, *session, context));
  size_t sealed = 0, trained = 0;
  if (o.id == 0)
    for (const journal::Entry& e : TRY(session->active())) {
      sealed += e.sealed;
      trained += !e.sealed && service::is_trained(e) &&
                 !std::ranges::count(verified, e.id, &repair::Verified::entry);
    }
  if (o.id == 0 || verified.empty())
    for (repair::Verified& v :
         TRY(session->verify(o.id, nullptr, foreground_job().reporting(t.progress()))))
      verified.push_back(std::move(v));
  std::ranges::sort(verified, {}, &repair::Verified::entry);
  t.clear_progress();
  Answer answer;
  answer.json = {
      {"passed", true}, {"sealed", sealed}, {"trained", trained}, {"entries", Json::array()}};
  for (const repair::Verified& v : verified) {
    t.line("{}", t.paint(Tone::kBold, fmt::format("entry {}", v.entry)));
    t.print(gate_table(t, nullptr, v.now));
    if (o.details) t.print(reply_list(t, v.now));
    Json json =
        verify::to_json(v.now, o.details ? verify::Detail::kItems : verify::Detail::kFigures);
    json["entry"] = v.entry;
    answer.json["entries"].push_back(std::move(json));
    if (!v.now.passed()) answer.json["passed"] = false;
  }
  if (sealed > 0) t.line("{} sealed and not asked: their words are gone", sealed);
  if (trained > 0) t.line("{} trained on sets and not asked: name them with --forget", trained);
  if (verified.empty() && sealed + trained == 0) t.line("No entry is active.");
  if (!answer.json["passed"].get<bool>())
    answer.exit_status = base::code_info(Code::kRefused).exit_status;
  return answer;
}

}  // namespace

extern const Command command_verify;
const Command command_verify{
    "verify", "ask the gates of active entries again",
    "The sets of a training are not in the journal: name them.\n"
    "Exit status 8: a gate fails now.\n"
    "Examples:\n  expunge verify\n"
    "  expunge verify 3 -m models/full --forget forget05 --retain retain95",
    [](Arguments& cli) -> Action {
      auto o = std::make_shared<Options>();
      cli.add_option("id", o->id, "an entry's number; default: all active ones")
          ->type_name("")
          ->positive();
      cli.add_flag("--details", o->details, "every question of the gates with its reply");
      Option* forget =
          cli.add_option("--forget", o->forget, "the set that a training was to forget")
              ->type_name("F");
      cli.add_option("--retain", o->retain, "the set that it was to keep")
          ->type_name("R")
          ->needs(forget);
      cli.add_option("--data", o->data, "folder of the sets that are given by name (data/tofu)")
          ->type_name("DIR");
      return [o](Context& context) { return verify_entries(*o, context); };
    }};

}  // namespace expunge::cli
