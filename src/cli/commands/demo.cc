// expunge demo: what the program does, on the real model and a temporary journal.
#include "cli/access.h"
#include "cli/evidence.h"
#include "cli/layout.h"
#include "cli/request.h"
#include "cli/signals.h"
#include "service/forget.h"
#include "service/generate.h"
#include "service/intent_reader.h"
#include "service/json.h"
#include "service/scratch.h"
#include "verify/gate.h"
#include "verify/reveals.h"

namespace expunge::cli {
namespace {

using base::Json;
using base::Result;

struct Fact {
  const char *question, *answer, *request;
};
// The last is only asked: it must be kept.
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

  base::Status ask(const char* key) {
    const base::Stopwatch clock;
    std::vector<service::Prompt> prompts;
    for (const Fact& f : kFacts) prompts.push_back({f.question, ""});
    model::GenerateOptions options;
    options.max_new_tokens = verify::kReplyTokens;
    const auto replies =
        TRY(service::generate(session_.present(), prompts, service::Prompting::kChat, options, {},
                              context_.job.reporting({})));
    json_[key] = Json::array();
    for (size_t i = 0; i < replies.size(); ++i) {
      const bool knows = verify::reveals(replies[i].text, {kFacts[i].answer});
      t_.line("  {}{}", pad(kFacts[i].question, 39),
              t_.paint(knows ? Tone::kGood : Tone::kWarn,
                       fit(printable(one_line(replies[i].text)), kColumns - 41)));
      json_[key].push_back(
          {{"prompt", kFacts[i].question}, {"reply", replies[i].text}, {"reveals", knows}});
    }
    t_.line("{}", t_.paint(Tone::kDim, "  " + duration(clock.seconds())));
    return {};
  }

  base::Status forget(const Fact& fact) {
    heading(fmt::format("> {}", fact.request));
    const service::Heard heard = TRY(service::hear(session_, reader_, fact.request, context_.job));
    if (!heard.plan) {
      t_.line("  The watchdog reads this as '{}': nothing is done.",
              agent::name(heard.reading.intent));
      json_["requests"].push_back({{"request", fact.request}, {"verdict", "not understood"}});
      return {};
    }
    t_.line("  {}", wrap(proposal(*heard.plan), kColumns - 2, 2));
    repair::ForgetOptions options;
    options.decide = [](const verify::Report&) { return repair::Decision::kKeepPartial; };
    repair::Outcome outcome =
        TRY(session_.forget(*heard.plan, options, journal::Seal::kNo, context_.job));
    for (const auto& [what, seconds] : heard.seconds) outcome.seconds[what] += seconds;
    t_.clear_progress();
    print_outcome(t_, outcome, verify::Detail::kFigures);
    if (outcome.entry > 0) entries_.push_back(outcome.entry);
    Json json = service::to_json(outcome, verify::Detail::kFigures);
    json["request"] = fact.request;
    json_["requests"].push_back(std::move(json));
    return {};
  }

  base::Status undo_all(const std::string& hash) {
    heading("Undone again");
    json_["undone"] = Json::array();
    for (; !entries_.empty(); entries_.pop_back()) {
      const service::Undone undone = TRY(session_.undo(entries_.back(), context_.job));
      t_.clear_progress();
      t_.line("  entry {} in {}: weights {:.16}… {}", undone.undone, duration(undone.seconds),
              undone.weights_hash,
              undone.weights_hash == hash ? t_.paint(Tone::kGood, "as before, bit for bit") : "");
      json_["undone"].push_back(service::to_json(undone));
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
  const auto session =
      TRY(service::open_session(place_of(context, scratch), journal::Mode::kReadWrite));
  const service::IntentReader reader = TRY(service::IntentReader::make("", *session));
  return Demo(context, *session, reader).run();
}

}  // namespace

extern const Command command_demo;
const Command command_demo{
    "demo", "see it work, without touching your journal", "",
    [](Arguments&) -> Action { return [](Context& context) { return demo(context); }; },
    kAllButJournal};

}  // namespace expunge::cli
