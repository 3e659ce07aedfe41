// expunge bench: the engine, a forget request, the facts, the watchdog.
#include "agent/watchdog_bench.h"
#include "cli/access.h"
#include "cli/evidence.h"
#include "cli/layout.h"
#include "cli/request.h"
#include "cli/signals.h"
#include "publish/publish.h"
#include "service/bench_engine.h"
#include "service/bench_facts.h"
#include "service/features.h"
#include "service/intent_reader.h"
#include "service/scratch.h"

namespace expunge::cli {
namespace {

using base::Json;
using base::Result;

constexpr const char* kRequest = "Please forget that the capital of France is Paris.";

struct Options {
  std::string facts, unrelated, dialogues, written_type;
  int64_t sequence = 0;
  size_t limit = 0;
  int repeats = 5;
  bool words_only = false;
  service::PlanOptions plan;
  bool engine = false, one_by_one = false, watchdog = false;  // which WHAT
};

std::string number(const Json& value) {
  if (value.is_number_integer()) return std::to_string(value.get<int64_t>());
  if (value.is_number()) {
    const double v = value.get<double>();
    return v >= 1000 ? fmt::format("{:.0f}", v) : fmt::format("{:.4g}", v);
  }
  return value.is_string() ? value.get<std::string>() : base::dump_json(value);
}

// Every plain figure of an object, one a line; objects inside it are indented, lists left out.
void print_figures(Terminal& t, const Json& json, size_t indent = 2) {
  for (const auto& [key, value] : json.items()) {
    if (value.is_array()) continue;
    const std::string blanks(indent, ' ');
    if (value.is_object()) {
      t.line("{}{}", blanks, t.paint(Tone::kBold, key));
      print_figures(t, value, indent + 2);
    } else {
      t.line("{}{}{}", blanks, pad(key, 26 - indent), fit(printable(number(value)), kColumns - 26));
    }
  }
}

Result<Json> engine(const Options& o, Context& context) {
  const model::ChatModel patient = TRY(model::load_chat_model(context.globals.model));
  service::BenchEngineOptions options;
  options.repeats = o.repeats;
  Json json = TRY(service::bench_engine(patient, options, context.terminal.progress()));
  context.terminal.line("{}", context.terminal.paint(Tone::kBold, "engine"));
  print_figures(context.terminal, json);
  return json;
}

// One request from words to commit on a journal of its own, and its undo.
Result<Json> request(Context& context) {
  Terminal& t = context.terminal;
  const service::Scratch scratch = TRY(service::Scratch::make(remove_on_signal));
  const auto session = TRY(service::Session::open(
      {context.globals.model, scratch.journal(), journal::Mode::kReadWrite}));
  const service::IntentReader reader =
      TRY(service::IntentReader::make("", session->present(), context.terminal.progress()));
  const text::Message message{"user", kRequest};
  const base::Stopwatch watch;
  const agent::Reading reading = TRY(reader.read({&message, 1}));
  const double watchdog_s = watch.seconds();
  const base::Stopwatch planning;
  const agent::Plan plan =
      TRY(session->plan(service::requests_of(reading), agent::Intent::kForget));
  const double plan_s = planning.seconds();
  repair::Outcome outcome = TRY(session->forget(plan, {}));
  outcome.seconds["watchdog"] = watchdog_s;
  outcome.seconds["plan"] += plan_s;
  Json json = {{"request", kRequest},
               {"verdict", repair::name(outcome.verdict)},
               {"seconds", outcome.seconds}};
  if (outcome.verdict != repair::Verdict::kReverted)
    json["undo_s"] = TRY(session->undo(outcome.entry)).seconds;
  t.line("{}", t.paint(Tone::kBold, "a forget request"));
  print_figures(t, json);
  return json;
}

Result<Json> facts(const Options& o, Context& context) {
  // Long work on a journal of its own: the user's is not touched.
  const service::Scratch scratch = TRY(service::Scratch::make(remove_on_signal));
  const auto session = TRY(service::Session::open(
      {context.globals.model, scratch.journal(), journal::Mode::kReadWrite}));
  service::BenchFactsOptions options{o.facts, o.unrelated, o.sequence, o.limit, {}, {}};
  options.plan = [&](service::Session& s, const agent::Request& r) {
    return service::make_plan(s, {r}, agent::Intent::kForget, o.plan);
  };
  if (!o.written_type.empty()) {
    const auto dtype = tensor::dtype_from_name(o.written_type);
    if (!dtype)
      return base::fail(base::Code::kUsage,
                        fmt::format("no weight type is called '{}'", printable(o.written_type)),
                        "e.g. Q8_0, Q4_1, F16, F32");
    options.written = [&scratch, dtype](service::Session& s) -> Result<model::ChatModel> {
      publish::ExportOptions file;
      file.path = scratch.file("written.gguf");
      file.dtype = dtype;
      TRY(s.with_journal([&](journal::Journal& journal) {
        return publish::export_model(s.present().model, journal, file);
      }));
      return model::load_chat_model(file.path);
    };
  }
  Json json = TRY(service::bench_facts(*session, options,
                                       foreground_job().reporting(context.terminal.progress())));
  Terminal& t = context.terminal;
  t.line("{}", t.paint(Tone::kBold, "facts"));
  print_figures(t, json);
  if (json.contains("failures") && json["failures"].is_array()) {
    t.line("{}", t.paint(Tone::kBold, fmt::format("failures ({})", json["failures"].size())));
    for (const Json& f : json["failures"])
      t.line("  {}", wrap(printable(f.is_string() ? f.get<std::string>() : base::dump_json(f)),
                          kColumns - 4, 4));
  }
  return json;
}

void print_matrix(Terminal& t, const Json& matrix) {
  if (!matrix.contains("intents") || !matrix.contains("rows")) return;
  std::string head = pad("", 12);
  for (const Json& intent : matrix["intents"]) head += pad_left(intent.get<std::string>(), 9);
  t.line("  {}", t.paint(Tone::kDim, head + "   <- read as"));
  for (size_t i = 0; i < matrix["rows"].size(); ++i) {
    std::string row = pad(matrix["intents"][i].get<std::string>(), 12);
    for (const Json& n : matrix["rows"][i]) row += pad_left(number(n), 9);
    t.line("  {}", row);
  }
}

// The development file is cross-validated; any other file is read by the watchdog of the chat.
Result<Json> watchdog_figures(const Options& o, std::span<const agent::Example> items,
                              Context& context) {
  const auto progress = context.terminal.progress();
  const bool builtin = agent::is_builtin(items);
  if (o.words_only)
    return builtin ? agent::cross_validate_watchdog({}, progress)
                   : agent::bench_watchdog(items, TRY(agent::ModelWatchdog::train({})), progress);
  const model::ChatModel patient = TRY(model::load_chat_model(context.globals.model));
  if (builtin) return agent::cross_validate_watchdog(service::watchdog_features(patient), progress);
  const service::IntentReader reader = TRY(service::IntentReader::make("", patient, progress));
  return agent::bench_watchdog(items, *reader.builtin(), progress);
}

Result<Json> watchdog(const Options& o, Context& context) {
  const auto items =
      TRY(agent::examples_from_jsonl(TRY(base::read_file(o.dialogues)), o.dialogues));
  Json json = TRY(watchdog_figures(o, items, context));
  Terminal& t = context.terminal;
  t.line("{}", t.paint(Tone::kBold, "watchdog"));
  Json figures = json;
  for (const char* key : {"matrix", "categories", "languages"}) figures.erase(key);
  print_figures(t, figures);
  print_matrix(t, json["matrix"]);
  return json;
}

Result<Answer> bench(const Options& o, Context& context) {
  if (o.engine) return Answer{TRY(engine(o, context))};
  if (o.one_by_one) return Answer{TRY(facts(o, context))};
  if (o.watchdog) return Answer{TRY(watchdog(o, context))};
  const Json first = TRY(engine(o, context));
  return Answer{Json{{"engine", first}, {"request", TRY(request(context))}}};
}

Action declare(Arguments& cli) {
  auto o = std::make_shared<Options>();
  Arguments* engine =
      cli.add_subcommand("engine", o->engine, "speed and memory, against what the machine can do");
  engine->add_option("--repeats", o->repeats, "of each figure; medians are shown (5)")
      ->type_name("N")
      ->range(1, 1000);
  Arguments* facts =
      cli.add_subcommand("facts", o->one_by_one, "forget every fact of a file, one by one");
  facts->add_option("file", o->facts, "JSON lines as in data/facts")
      ->type_name("")
      ->required()
      ->existing_file();
  facts->add_option("--unrelated", o->unrelated, "JSON lines {question, answer}")
      ->type_name("FILE")
      ->existing_file();
  facts->add_option("--sequence", o->sequence, "then this many one after another (0)")
      ->type_name("N")
      ->range(0, 100000);
  facts
      ->add_option("--written", o->written_type,
                   "after the sequence, measure a GGUF with edited matrices of this type too")
      ->type_name("TYPE");
  add_plan_options(*facts, o->plan);
  facts->add_option("--limit", o->limit, "the first facts only; 0: all (0)")->type_name("N");
  Arguments* watchdog =
      cli.add_subcommand("watchdog", o->watchdog, "read every dialogue of a labelled file");
  watchdog->add_option("file", o->dialogues, "JSON lines as in data/watchdog")
      ->type_name("")
      ->required()
      ->existing_file();
  watchdog->add_flag("--words-only", o->words_only, "without the model's hidden states");
  return [o](Context& context) { return bench(*o, context); };
}

}  // namespace

extern const Command command_bench;
const Command command_bench{
    "bench", "measure: engine, a request, facts, watchdog",
    "Without WHAT: the engine, and the time of a forget request by its parts.\n"
    "Examples:\n  expunge bench engine --json\n"
    "  expunge bench facts data/facts/facts.jsonl --sequence 30",
    declare, JournalUse::kOwn};

}  // namespace expunge::cli
