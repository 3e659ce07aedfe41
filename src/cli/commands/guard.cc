// expunge guard: the names that are kept out of what a model says.
#include <filesystem>

#include "base/files.h"
#include "cli/access.h"
#include "cli/commands/guard_eval.h"
#include "cli/layout.h"
#include "cli/request.h"
#include "guard/store.h"
#include "service/json.h"

namespace expunge::cli {
namespace {

using base::Code;
using base::Json;
using base::Result;
using guard::Store;
using guard::Target;

struct GuardFlags {
  bool adds = false, lists = false, removes = false, imports = false, promotes = false,
       evaluates = false;
  std::string name, mode = "rewrite", scope, expires, file;
  std::vector<std::string> aliases;
  int64_t id = 0;
  bool lifts = false;  // what was forgotten is no longer guarded
  service::PlanOptions plan = {};
  RequestOptions request = {};
};

// By the same rules as a line of a file.
Result<Target> target_of(const GuardFlags& o) {
  auto target = guard::target_from_json({{"name", o.name},
                                         {"aliases", o.aliases},
                                         {"mode", o.mode},
                                         {"scope", o.scope},
                                         {"expires", o.expires}});
  if (!target) target.error().code = Code::kUsage;
  return target;
}

std::string shown(const std::string& text) { return printable(one_line(text)); }

Answer print_list(const std::vector<Target>& targets, Terminal& t) {
  constexpr size_t kIndent = 15;
  Answer answer{{{"targets", Json::array()}}};
  for (const Target& target : targets) {
    t.line("{:>5}  {} {}", target.id, pad(std::string(guard::name(target.mode)), 7),
           fit(shown(target.name), kColumns - kIndent));
    std::string more;
    const auto say = [&](const std::string& what) { more += (more.empty() ? "" : "; ") + what; };
    if (!target.aliases.empty()) say(fmt::format("also {}", fmt::join(target.aliases, ", ")));
    if (!target.scope.empty()) say(target.scope);
    if (!target.expires.empty()) say("until " + target.expires);
    if (!more.empty())
      t.line("{}{}", std::string(kIndent, ' '),
             t.paint(Tone::kDim, wrap(shown(more), kColumns - kIndent, kIndent)));
    answer.json["targets"].push_back(guard::to_json(target));
  }
  if (targets.empty()) t.line("There are no targets: nothing is guarded.");
  return answer;
}

// What the local model knows about a target is forgotten, with evidence.
Result<Answer> promote(const GuardFlags& o, Context& context) {
  Terminal& t = context.terminal;
  Store store = TRY(Store::open(TRY(guard::default_path())));
  const std::vector<Target> targets = TRY(store.list());
  const auto target = std::ranges::find(targets, o.id, &Target::id);
  if (target == targets.end())
    return base::fail(Code::kNotFound, fmt::format("there is no target {}", o.id),
                      "'expunge guard list' shows them");
  const auto session = TRY(open_session(context, journal::Mode::kReadWrite));
  const std::vector<agent::Request> topic = {
      {.prompt = fmt::format("What do you know about {}?", target->name), .topic = true}};
  const auto planned = TRY(service::plan_wish(*session, topic, o.plan, context.job));
  const auto carried = TRY(propose_and_forget(planned.plans.front(), o.request, *session, context));
  const bool passed = carried.outcome && carried.outcome->verdict == repair::Verdict::kPassed;
  Answer answer{service::to_json(carried, detail_of(o.request))};
  answer.json["lifted"] = passed && o.lifts;
  if (passed && o.lifts) {
    TRY(store.remove(o.id));
    t.line("No longer guarded: {}", shown(target->name));
  } else if (passed) {
    t.note(fmt::format("It is guarded still. Lift that with 'expunge guard remove {}'.", o.id));
  }
  if (!carried.committed()) answer.exit_status = base::code_info(Code::kRefused).exit_status;
  return answer;
}

Result<Answer> manage_targets(const GuardFlags& o, Context& context) {
  Terminal& t = context.terminal;
  if (o.promotes) return promote(o, context);
  TRY(refuse(context, {"--model", "--journal", "--threads", "--activations"},
             "only 'guard promote' uses a model"));
  const std::string path = TRY(guard::default_path());
  if (o.adds) {
    Target target = TRY(target_of(o));
    Store store = TRY(Store::open(path));
    target.id = TRY(store.add(target));
    t.line("Guarded: {}, {}", target.id, shown(target.name));
    return Answer{guard::to_json(target)};
  }
  if (o.imports) {
    const std::string text =
        o.file == "-" ? TRY(read_stdin(context.job)) : TRY(base::read_file(o.file));
    const std::vector<Target> targets = TRY_AT(o.file, guard::read_targets(text));
    Store store = TRY(Store::open(path));
    const size_t n = TRY(store.import(targets));
    t.line("Imported: {} target{}", n, n == 1 ? "" : "s");
    return Answer{{{"imported", n}}};
  }
  if (o.removes) {
    Store store = TRY(Store::open(path));
    const Target target = TRY(store.remove(o.id));
    t.line("Removed: {}, {}", target.id, shown(target.name));
    return Answer{guard::to_json(target)};
  }
  if (!std::filesystem::exists(path)) return print_list({}, t);
  const Store store = TRY(Store::open(path));
  return print_list(TRY(store.list()), t);
}

Action declare_guard(Arguments& cli) {
  auto o = std::make_shared<GuardFlags>();
  Arguments* add = cli.add_subcommand("add", o->adds, "guard a name, or change how it is");
  add->add_option("name", o->name, "what is not to be named")->type_name("")->required();
  add->add_option("--alias", o->aliases, "another name for the same; may be repeated")
      ->type_name("A")
      ->expected(1)
      ->take_all();
  add->add_option("--mode", o->mode,
                  "rewrite: replies are cleaned; refuse: declined; idk: \"I don't know\" (rewrite)")
      ->type_name("MODE");
  add->add_option("--scope", o->scope, "words that say what it is")->type_name("WORDS");
  add->add_option("--expires", o->expires, "from that day it does not count, as in 2027-01-31")
      ->type_name("DATE");
  cli.add_subcommand("list", o->lists, "what is guarded");
  Arguments* remove = cli.add_subcommand("remove", o->removes, "a name is no longer guarded");
  remove->add_option("id", o->id, "of the target")->type_name("")->required();
  Arguments* import = cli.add_subcommand("import", o->imports, "add what a file lists");
  import->add_option("file", o->file, "JSON lines; - is stdin")->type_name("")->required();
  Arguments* promote =
      cli.add_subcommand("promote", o->promotes, "the model forgets what it knows about a target");
  promote->add_option("id", o->id, "of the target")->type_name("")->required();
  promote->add_flag("--lift", o->lifts, "then it is no longer guarded");
  add_request_options(*promote, o->request);
  add_plan_options(*promote, o->plan);
  const Action evaluate = add_guard_eval(cli, o->evaluates);
  return [o, evaluate](Context& context) {
    return o->evaluates ? evaluate(context) : manage_targets(*o, context);
  };
}

}  // namespace

extern const Command command_guard;
const Command command_guard{
    "guard", "names that are kept out of what a model says",
    "Examples:\n  expunge guard add 'Basil Mahfouz' --alias Basil --scope 'novelist, Kuwait'\n"
    "  expunge guard list\n  expunge guard remove 1\n  expunge guard import targets.jsonl\n"
    "  expunge guard promote 1 --lift\n  expunge guard eval --out build/guard",
    declare_guard};

}  // namespace expunge::cli
