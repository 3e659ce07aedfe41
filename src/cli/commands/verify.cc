// expunge verify: the gates of active entries, asked again.
#include "cli/access.h"
#include "cli/evidence.h"
#include "service/json.h"

namespace expunge::cli {
namespace {

using base::Result;

struct VerifyFlags {
  service::VerifyRequest request;
  bool details = false;
};

Result<Answer> verify_entries(const VerifyFlags& o, Context& context) {
  Terminal& t = context.terminal;
  TRY(check_data_folder(context, {o.request.forget, o.request.retain}));
  const auto session = TRY(open_session(context, journal::Mode::kReadOrEmpty));
  const auto result = TRY(service::verify(*session, o.request, context.job));
  for (const repair::Verified& v : result.entries) {
    t.line("{}", t.paint(Tone::kBold, fmt::format("entry {}", v.entry)));
    t.print(gate_table(t, nullptr, v.now));
    if (o.details) t.print(reply_list(t, v.now));
  }
  if (result.sealed > 0) t.line("{} sealed and not asked: their words are gone", result.sealed);
  if (result.trained > 0)
    t.line("{} trained on sets and not asked: name them with --forget", result.trained);
  if (result.entries.empty() && result.sealed + result.trained == 0) t.line("No entry is active.");
  Answer answer{
      service::to_json(result, o.details ? verify::Detail::kItems : verify::Detail::kFigures)};
  if (!result.passed()) answer.exit_status = base::code_info(base::Code::kRefused).exit_status;
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
      auto o = std::make_shared<VerifyFlags>();
      cli.add_option("id", o->request.entry, "an entry's number; default: all active ones")
          ->type_name("")
          ->positive();
      cli.add_flag("--details", o->details, "every question of the gates with its reply");
      Option* forget =
          cli.add_option("--forget", o->request.forget, "the set that a training was to forget")
              ->type_name("F");
      cli.add_option("--retain", o->request.retain, "the set that it was to keep")
          ->type_name("R")
          ->needs(forget);
      cli.add_option("--data", o->request.data,
                     "folder of the sets that are given by name (data/tofu)")
          ->type_name("DIR");
      return [o](Context& context) { return verify_entries(*o, context); };
    }};

}  // namespace expunge::cli
