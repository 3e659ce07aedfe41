// expunge bench: the engine, a forget request, the facts, the watchdog.
#include "service/bench.h"

#include "cli/access.h"
#include "cli/layout.h"
#include "cli/request.h"
#include "cli/signals.h"
#include "service/bench_engine.h"

namespace expunge::cli {
namespace {

using base::Json;
using base::Result;

struct BenchFlags {
  service::BenchFacts facts;
  std::string dialogues;
  int repeats = 5;
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

Result<Json> engine(const BenchFlags& o, Context& context) {
  const model::ChatModel chat_model =
      TRY(service::load_model(place_of(context), notes_of(context)));
  service::BenchEngineOptions options;
  options.repeats = o.repeats;
  Json json = TRY(service::bench_engine(chat_model, options, context.job));
  context.terminal.line("{}", context.terminal.paint(Tone::kBold, "engine"));
  print_figures(context.terminal, json);
  return json;
}

Result<Json> request(Context& context) {
  const service::Scratch scratch = TRY(service::Scratch::make(remove_on_signal));
  Json json = TRY(service::bench_request(place_of(context, scratch), context.job));
  Terminal& t = context.terminal;
  t.line("{}", t.paint(Tone::kBold, "a forget request"));
  print_figures(t, json);
  return json;
}

Result<Json> facts(const BenchFlags& o, Context& context) {
  if (o.facts.sequence == 0)
    TRY(refuse(context, {"--written"}, "there is no --sequence before it"));
  const service::Scratch scratch = TRY(service::Scratch::make(remove_on_signal));
  Json json = TRY(service::bench_facts(place_of(context, scratch), scratch, o.facts, context.job));
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

Result<Json> watchdog(const BenchFlags& o, Context& context) {
  Json json = TRY(service::bench_watchdog(place_of(context), o.dialogues, context.job));
  Terminal& t = context.terminal;
  t.line("{}", t.paint(Tone::kBold, "watchdog"));
  Json figures = json;
  for (const char* key : {"matrix", "categories", "languages", "readings", "failures"})
    figures.erase(key);
  print_figures(t, figures);
  print_matrix(t, json["matrix"]);
  return json;
}

Result<Answer> bench(const BenchFlags& o, Context& context) {
  if (o.engine) return Answer{TRY(engine(o, context))};
  if (o.one_by_one) return Answer{TRY(facts(o, context))};
  if (o.watchdog) return Answer{TRY(watchdog(o, context))};
  const Json first = TRY(engine(o, context));
  return Answer{Json{{"engine", first}, {"request", TRY(request(context))}}};
}

Action declare_bench(Arguments& cli) {
  auto o = std::make_shared<BenchFlags>();
  Arguments* engine =
      cli.add_subcommand("engine", o->engine, "speed and memory, against what the machine can do");
  engine->add_option("--repeats", o->repeats, "of each figure; medians are shown (5)")
      ->type_name("N")
      ->range(1, 1000);
  Arguments* facts =
      cli.add_subcommand("facts", o->one_by_one, "forget every fact of a file, one by one");
  facts->add_option("file", o->facts.file, "JSON lines as in data/facts")
      ->type_name("")
      ->required()
      ->existing_file();
  facts->add_option("--unrelated", o->facts.unrelated, "JSON lines {question, answer}")
      ->type_name("FILE")
      ->existing_file();
  facts->add_option("--sequence", o->facts.sequence, "then this many one after another (0)")
      ->type_name("N")
      ->range(0, 100000);
  facts
      ->add_option("--written", o->facts.written,
                   "after the sequence, measure a GGUF with edited matrices of this type too")
      ->type_name("TYPE");
  add_plan_options(*facts, o->facts.plan);
  facts->add_option("--limit", o->facts.limit, "the first facts only; 0: all (0)")->type_name("N");
  Arguments* watchdog =
      cli.add_subcommand("watchdog", o->watchdog, "read every dialogue of a labelled file");
  watchdog->add_option("file", o->dialogues, "JSON lines as in data/watchdog")
      ->type_name("")
      ->required()
      ->existing_file();
  return [o](Context& context) { return bench(*o, context); };
}

}  // namespace

extern const Command command_bench;
const Command command_bench{
    "bench", "measure: engine, a request, facts, watchdog",
    "Without WHAT: the engine, and the time of a forget request by its parts.\n"
    "Examples:\n  expunge bench engine --json\n"
    "  expunge bench facts data/facts/facts.jsonl --sequence 30",
    declare_bench, kAllButJournal};

}  // namespace expunge::cli
