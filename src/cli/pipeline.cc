// The table of contents of the program: what it does, in the order in which data flows.
//
//   dialogue -> Reading -> Plan -> Edit -> Report -> Entry -> Exported
//             watchdog   surgeon  method   gates   journal   publish
#include "cli/pipeline.h"

#include "cli/parse.h"
#include "cli/signals.h"
#include "tensor/tensor.h"

namespace expunge::cli {

extern const Command command_chat, command_forget, command_plan, command_demo;
extern const Command command_log, command_show, command_undo, command_verify, command_replay,
    command_seal;
extern const Command command_generate, command_score;
extern const Command command_export, command_bench, command_methods;
extern const Command command_finetune, command_unlearn, command_sweep;
extern const Command command_eval, command_metrics, command_suites;
extern const Command command_serve, command_key, command_guard;

namespace {

using base::Code;
using base::Result;

const CommandGroup kGroups[] = {
    {"Forget", {&command_chat, &command_forget, &command_plan, &command_demo}},
    {"What was done",
     {&command_log, &command_show, &command_undo, &command_verify, &command_replay, &command_seal}},
    {"The model as it is", {&command_generate, &command_score}},
    {"Train", {&command_finetune, &command_unlearn, &command_sweep, &command_methods}},
    {"Measure", {&command_eval, &command_metrics, &command_suites, &command_bench}},
    {"Serve", {&command_serve, &command_key, &command_guard}},
    {"Ship", {&command_export}},
};

Result<int> answer(int argc, char** argv, Context& context) {
  Terminal& terminal = context.terminal;
  const Parsed parsed = TRY(parse(kGroups, argc, argv, context.globals));
  if (parsed.text) {
    terminal.print(*parsed.text);
    return 0;
  }
  const Globals& g = context.globals;
  terminal.configure(g.json ? Output::kJson : Output::kText,
                     g.quiet ? Notes::kQuiet : Notes::kShown);
  tensor::start(g.threads);
  const Answer answer = TRY(parsed.action(context));
  if (g.json && tensor::leads(context.group.get())) terminal.print_json(answer.json);
  return answer.exit_status;
}

// One place for our own bugs, and for memory that ran out where nothing could report it.
Result<int> guarded_answer(int argc, char** argv, Context& context) {
  try {
    return answer(argc, argv, context);
  } catch (const base::Bug& bug) {
    return base::fail(Code::kInternal, bug.what(), "this is a bug in expunge, please report it");
  } catch (...) {
    return tl::unexpected(tensor::translate_current_exception());
  }
}

}  // namespace

int run(int argc, char** argv) {
  Context context;
  context.job = context.job.reporting(context.terminal.progress());
  handle_signals(context.job);
  Result<int> status = guarded_answer(argc, argv, context);
  const bool json = context.globals.json;
  context.terminal.configure(json ? Output::kJson : Output::kText, Notes::kShown);
  if (status.has_value())
    if (const base::Status written = context.terminal.finish(); !written)
      status = tl::unexpected(written.error());
  if (status) return *status;
  if (!status.error().message.empty()) context.terminal.print_error(status.error());
  (void)context.terminal.finish();
  return base::code_info(status.error().code).exit_status;
}

}  // namespace expunge::cli
