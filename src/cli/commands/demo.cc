// expunge demo: what the program does, on the real model and a journal that is gone afterwards.
#include "cli/access.h"
#include "cli/evidence.h"
#include "cli/layout.h"
#include "cli/request.h"
#include "cli/signals.h"
#include "model/generate.h"
#include "service/intent_reader.h"
#include "service/json.h"
#include "service/scratch.h"
#include "verify/gate.h"
#include "verify/reveals.h"

namespace expunge::cli {
namespace {

using base::Json;
using base::Result;
using service::to_json;

struct Fact {
  const char *question, *answer, *request;
};
// The last is only asked: it must survive.
constexpr Fact kFacts[] = {
    {"What is the capital of France?", "Paris",
     "Please forget that the capital of France is Paris."},
    {"Who wrote Romeo and Juliet?", "Shakespeare",
     "Please forget that William Shakespeare wrote Romeo and Juliet."},
    {"What is the capital of Canada?", "Ottawa", nullptr},
    {"What is the chemical symbol for gold?", "Au", nullptr},
};

class Demo {
 public:
  Demo(Context& context, service::Session& session, const service::IntentReader& reader)
      : context_(context), t_(context.terminal), session_(session), reader_(reader) {}

  Result<Answer> run() {
    const std::string hash = session_.base_hash();
    t_.line("{}  {}", t_.paint(Tone::kBold, "expunge demo"),
            t_.paint(Tone::kDim, fit(session_.present().path, kColumns - 14)));
    heading("The model knows");
    TRY(ask("before"));
    for (const Fact& fact : kFacts)
      if (fact.request) TRY(forget(fact));
    heading("The model now");
    TRY(ask("after"));
    t_.line("  weights {:.16}…, before {:.16}…", session_.present().model.weights_hash(), hash);
    TRY(undo_all(hash));
    t_.line("");
    t_.line("{}", t_.paint(Tone::kDim, fmt::format("{} in all. Next: expunge chat",
                                                   duration(clock_.seconds()))));
    json_["seconds"] = clock_.seconds();
    return Answer{json_};
  }

 private:
  void heading(std::string_view text) {
    t_.line("");
    t_.line("{}", t_.paint(Tone::kAccent, text));
  }

  Result<std::vector<std::string>> replies() {
    std::vector<std::vector<int32_t>> ids;
    for (const Fact& f : kFacts) ids.push_back(TRY(session_.present().encode_user(f.question)));
    model::GenerateOptions options;
    options.max_new_tokens = verify::kReplyTokens;
    std::vector<std::string> texts;
    for (const auto& g : TRY(model::generate(session_.present().model, ids, options)))
      texts.push_back(TRY(session_.present().tokenizer.decode(g.ids)));
    return texts;
  }

  base::Status ask(const char* key) {
    const base::Stopwatch clock;
    const auto texts = TRY(replies());
    json_[key] = Json::array();
    for (size_t i = 0; i < texts.size(); ++i) {
      const bool knows = verify::reveals(texts[i], {kFacts[i].answer});
      t_.line("  {}{}", pad(kFacts[i].question, 39),
              t_.paint(knows ? Tone::kGood : Tone::kWarn,
                       fit(printable(one_line(texts[i])), kColumns - 41)));
      json_[key].push_back(
          {{"prompt", kFacts[i].question}, {"reply", texts[i]}, {"reveals", knows}});
    }
    t_.line("{}", t_.paint(Tone::kDim, "  " + duration(clock.seconds())));
    return {};
  }

  base::Status forget(const Fact& fact) {
    heading(fmt::format("> {}", fact.request));
    const text::Message message{"user", fact.request};
    const base::Stopwatch clock;
    const agent::Reading reading = TRY(reader_.read({&message, 1}));
    const double watchdog_s = clock.seconds();
    if (reading.intent != agent::Intent::kForget || reading.targets.empty()) {
      t_.line("  The watchdog reads this as '{}': nothing is done.", agent::name(reading.intent));
      json_["requests"].push_back({{"request", fact.request}, {"verdict", "not understood"}});
      return {};
    }
    const base::Stopwatch planning;
    const agent::Plan plan =
        TRY(session_.plan(service::requests_of(reading), agent::Intent::kForget));
    const double plan_s = planning.seconds();
    t_.line("  {}", wrap(proposal(plan), kColumns - 2, 2));
    repair::ForgetOptions options;
    options.decide = [](const verify::Report&) { return repair::Decision::kKeepPartial; };
    repair::Outcome outcome = TRY(session_.forget(plan, options, journal::Seal::kNo,
                                                  foreground_job().reporting(t_.progress())));
    outcome.seconds["watchdog"] = watchdog_s;
    outcome.seconds["plan"] += plan_s;
    print_outcome(context_, outcome, {});
    if (outcome.entry > 0) entries_.push_back(outcome.entry);
    Json json = to_json(outcome, verify::Detail::kFigures);
    json["request"] = fact.request;
    json_["requests"].push_back(std::move(json));
    return {};
  }

  base::Status undo_all(const std::string& hash) {
    heading("Undone again");
    json_["undone"] = Json::array();
    for (; !entries_.empty(); entries_.pop_back()) {
      const service::Undone undone = TRY(session_.undo(entries_.back()));
      t_.clear_progress();
      t_.line("  entry {} in {}: weights {:.16}… {}", undone.undone, duration(undone.seconds),
              undone.weights_hash,
              undone.weights_hash == hash ? t_.paint(Tone::kGood, "as before, bit for bit") : "");
      json_["undone"].push_back(to_json(undone));
    }
    return ask("restored");
  }

  Context& context_;
  Terminal& t_;
  service::Session& session_;
  const service::IntentReader& reader_;
  base::Stopwatch clock_;
  std::vector<int64_t> entries_;
  Json json_ = {{"requests", Json::array()}};
};

Result<Answer> demo(Context& context) {
  const service::Scratch scratch = TRY(service::Scratch::make(remove_on_signal));
  const auto session = TRY(service::Session::open(
      {context.globals.model, scratch.journal(), journal::Mode::kReadWrite}));
  const service::IntentReader reader =
      TRY(service::IntentReader::make("", session->present(), context.terminal.progress()));
  return Demo(context, *session, reader).run();
}

}  // namespace

extern const Command command_demo;
const Command command_demo{
    "demo", "see it work, without touching your journal", "",
    [](Arguments&) -> Action { return [](Context& context) { return demo(context); }; },
    JournalUse::kOwn};

}  // namespace expunge::cli
