// expunge chat: a conversation in which "please forget …" is understood and carried out.
#include "agent/undo_reference.h"
#include "cli/access.h"
#include "cli/evidence.h"
#include "cli/layout.h"
#include "cli/request.h"
#include "cli/signals.h"
#include "cli/slash_command.h"
#include "model/generate.h"
#include "service/dialogue.h"
#include "service/entries.h"
#include "service/intent_reader.h"
#include "service/json.h"

namespace expunge::cli {
namespace {

using agent::Intent;
using base::Code;
using base::Json;
using base::Result;
using base::Status;
using service::to_json;

struct Options {
  std::string system, watchdog;
  service::PlanOptions plan;
  RequestOptions request;
  model::GenerateOptions generate;
};

constexpr const char* kHelp =
    "  Talk. \"Please forget that …\", \"undo that\" and \"what have you forgotten?\"\n"
    "  are understood.  /log  /undo [N]  /clear  /help  /quit   Ctrl+C stops a reply.\n";

class Chat {
 public:
  Chat(Context& context, service::Session& session, const service::IntentReader& reader,
       const Options& options)
      : context_(context),
        t_(context.terminal),
        session_(session),
        reader_(reader),
        options_(options),
        dialogue_(options.system) {}

  Result<Answer> run() {
    if (t_.interactive()) {
      t_.line("{}", t_.paint(Tone::kDim, fit(session_.present().path, kColumns)));
      t_.print(t_.paint(Tone::kDim, kHelp));
    }
    while (!quitting_) {
      base::clear_cancel();
      const auto line = TRY(t_.read_line("> "));
      if (!line) break;
      if (line->find_first_not_of(" \t") == std::string::npos) continue;
      // What goes wrong with one message does not end the conversation.
      if (const Status status = answer(*line); !status) TRY(failed(*line, status.error()));
    }
    if (t_.interactive()) t_.line("");
    return Answer{Json{{"turns", turns_}}, exit_status_};
  }

 private:
  Status failed(const std::string& line, const base::Error& error) {
    const bool stopped = error.code == Code::kCancelled;
    if (error.code == Code::kInternal || (stopped && !t_.interactive()))
      return tl::unexpected(error);
    if (stopped) {
      t_.clear_progress();
      t_.line("{}", t_.paint(Tone::kDim, "Stopped; nothing was changed."));
      return {};
    }
    if (context_.globals.json)  // one object on stdout, at the end
      t_.note("error: " + error.message);
    else
      t_.print_error(error);
    turns_.push_back({{"user", line}, {"error", error.message}});
    if (!t_.interactive() && exit_status_ == 0)
      exit_status_ = base::code_info(error.code).exit_status;
    return {};
  }

  Status answer(const std::string& line) {
    if (line.starts_with('/')) return command(line);
    const agent::Reading reading = TRY(reader_.read(dialogue_.heard(line)));
    switch (reading.intent) {
      case Intent::kForget:
      case Intent::kCorrect:
        return edit(line, reading);
      case Intent::kUndo:
        return undo_in_words(line, reading.sure());
      case Intent::kStatus:
        return status(line);
      case Intent::kNone:
        return reply(line);
    }
    return {};
  }

  Status command(const std::string& line) {
    const SlashCommand command = TRY(parse_slash_command(line));
    switch (command.kind) {
      case SlashCommand::Kind::kLog:
        return status(line);
      case SlashCommand::Kind::kUndo:
        return undo(line, command.entry, true);
      case SlashCommand::Kind::kClear:
        dialogue_.clear();
        t_.line("A new conversation.");
        return {};
      case SlashCommand::Kind::kHelp:
        t_.print(kHelp);
        return {};
      case SlashCommand::Kind::kQuit:
        quitting_ = true;
        return {};
    }
    return {};
  }

  Status reply(const std::string& line) {
    const model::ChatModel present = session_.present();
    const auto shown =
        TRY(dialogue_.shown(present, line, static_cast<size_t>(options_.generate.max_new_tokens)));
    if (shown.left_out > 0) t_.note("(the oldest turns no longer fit and were left out)");
    text::StreamDecoder decoder(present.tokenizer);
    std::string text;
    const auto take = [&](const Result<std::string>& piece) {
      if (!piece) return;
      text += *piece;
      t_.print(printable(*piece));
    };
    bool stopped = false;
    const auto generated =
        model::generate(present.model, {&shown.ids, 1}, options_.generate, {},
                        [&](size_t, std::span<const int32_t> ids) {
                          take(decoder.push(ids.back()));
                          stopped = base::cancel_requested();
                          return stopped ? model::Next::kStop : model::Next::kGoOn;
                        });
    if (!generated && generated.error().code != Code::kCancelled)
      return tl::unexpected(generated.error());
    take(decoder.finish());
    stopped |= !generated;
    t_.print(stopped ? t_.paint(Tone::kDim, " [stopped]") + "\n" : "\n");
    dialogue_.add_turn(line, text);
    turns_.push_back({{"user", line}, {"assistant", text}, {"intent", "none"}});
    // In a pipe nobody can say another word: Ctrl+C ends the program.
    if (stopped && !t_.interactive()) return base::fail(Code::kCancelled, "cancelled");
    return {};
  }

  // What the assistant says about a request: shown, remembered, recorded.
  void say(const std::string& line, const std::string& text, Json record) {
    dialogue_.add_order(line, text);
    Json turn = {{"user", line}, {"assistant", text}};
    turn.update(record);
    turns_.push_back(std::move(turn));
  }

  // An offer to edit: true if the user takes it.
  Result<bool> consent(const std::string& question) {
    if (options_.request.consent == Consent::kGiven) return true;
    if (t_.interactive()) return t_.confirm(question);
    t_.line("{}", question);
    t_.line("Nothing was changed: run with --yes to edit where nobody can be asked.");
    return false;
  }

  Status edit(const std::string& line, const agent::Reading& reading) {
    const Json intent = {{"intent", agent::name(reading.intent)}};
    TRY(agent::check_authority(line));
    if (reading.targets.empty() || reading.targets.front().prompt.empty()) {
      const std::string question =
          reading.question.empty() ? "What exactly should I forget?" : reading.question;
      t_.line("{}", wrap(printable(question), kColumns, 0));
      say(line, question, intent);
      return {};
    }
    const agent::Plan plan = TRY(
        service::make_plan(session_, service::requests_of(reading), reading.intent, options_.plan));
    // Unsure: asked even if edits were allowed beforehand.
    RequestOptions request = options_.request;
    const bool unsure = !reading.sure() && request.consent == Consent::kGiven;
    if (!reading.sure()) t_.line("{}", t_.paint(Tone::kDim, "I am not sure that I understand."));
    const bool yes = unsure && t_.interactive() ? TRY(t_.confirm(proposal(plan) + "?"))
                     : unsure                   ? TRY(refuse_unsure(plan))
                                                : TRY(consent(proposal(plan) + "?"));
    if (!yes) {
      say(line, "All right, nothing was changed.", intent);
      if (t_.interactive()) t_.line("All right, nothing was changed.");
      return {};
    }
    request.consent = Consent::kGiven;
    const auto outcome = TRY(carry_out(context_, session_, plan, request));
    print_outcome(context_, *outcome, request);
    const bool changed = outcome->verdict != repair::Verdict::kReverted;
    if (const size_t n = changed ? dialogue_.forget(plan) : 0; n > 0)
      t_.line("{}", t_.paint(Tone::kDim,
                             "Turns of this chat that hold it are no longer shown to "
                             "the model."));
    Json record = intent;
    record["outcome"] = to_json(*outcome, verify::Detail::kFigures);
    say(line,
        changed ? fmt::format("Forgotten, as entry {}.", outcome->entry)
                : "That did not work; nothing was changed.",
        record);
    return {};
  }

  Result<bool> refuse_unsure(const agent::Plan& plan) {
    t_.line("{}?", proposal(plan));
    t_.line("Nothing was changed: say it more plainly, or use 'expunge forget'.");
    return false;
  }

  // "Undo entry 1", "undo the edit about France", "undo that".
  Status undo_in_words(const std::string& line, bool sure) {
    const auto active = TRY(session_.active());
    std::vector<agent::ActiveEdit> edits;
    for (const journal::Entry& e : active) edits.push_back({e.id, service::title(e)});
    const agent::UndoReference meant = agent::undo_reference(line, edits);
    if (meant.kind != agent::UndoReference::Kind::kUnclear || active.empty())
      return undo(line, meant.entry, sure);
    std::string text = "Which of these shall be undone? Say \"/undo N\" with its number.";
    t_.line("{}", text);
    text += list(active);
    say(line, text, {{"intent", "undo"}});
    return {};
  }

  Status undo(const std::string& line, std::optional<int64_t> id, bool sure) {
    const auto active = TRY(session_.active());
    if (active.empty()) {
      t_.line("There is nothing to undo.");
      say(line, "There is nothing to undo.", {{"intent", "undo"}});
      return {};
    }
    const auto entry = id ? std::ranges::find(active, *id, &journal::Entry::id) : active.end() - 1;
    if (entry == active.end())
      return base::fail(Code::kNotFound, fmt::format("entry {} is not an active edit", *id),
                        "/log lists those that are");
    const std::string what = fmt::format("Undo entry {}: {}?", entry->id, service::title(*entry));
    if (!sure) t_.line("{}", t_.paint(Tone::kDim, "I am not sure that I understand."));
    if (!TRY(consent(what))) {
      say(line, "All right, nothing was changed.", {{"intent", "undo"}});
      return {};
    }
    const service::Undone undone = TRY(session_.undo(entry->id));
    t_.clear_progress();
    t_.line("{} entry {} in {}{}", t_.paint(Tone::kGood, "Undone:"), undone.undone,
            duration(undone.seconds),
            undone.is_base ? "; the weights are the model's file again, bit for bit" : "");
    if (const std::string text = recheck_line(t_, undone.others); !text.empty())
      t_.line("{}", text);
    say(line, fmt::format("Entry {} is undone.", undone.undone),
        {{"intent", "undo"}, {"undone", to_json(undone)}});
    return {};
  }

  // Prints the entries, one a line, and returns what was printed.
  std::string list(const std::vector<journal::Entry>& entries) {
    std::string text;
    for (const journal::Entry& e : entries) {
      const std::string row = fmt::format("{}  {}", pad_left(std::to_string(e.id), 4), service::title(e));
      t_.line("{}", fit(row, kColumns));
      text += "\n" + row;
    }
    return text;
  }

  Status status(const std::string& line) {
    const auto active = TRY(session_.active());
    std::string text =
        active.empty() ? "Nothing is forgotten." : fmt::format("{} forgotten:", active.size());
    t_.line("{}", text);
    text += list(active);
    if (!line.starts_with('/')) say(line, text, {{"intent", "status"}});
    return {};
  }

  Context& context_;
  Terminal& t_;
  service::Session& session_;
  const service::IntentReader& reader_;
  const Options& options_;
  service::Dialogue dialogue_;
  Json turns_ = Json::array();
  bool quitting_ = false;
  int exit_status_ = 0;  // of the first message that failed where nobody was there to see it
};

Result<Answer> chat(const Options& o, Context& context) {
  if (!o.system.empty()) TRY(check_text(o.system, "--system"));
  const auto session = TRY(open_session(context, journal::Mode::kReadWrite));
  const service::IntentReader reader =
      TRY(service::IntentReader::make(o.watchdog, session->present(), context.terminal.progress()));
  context.terminal.clear_progress();
  return Chat(context, *session, reader, o).run();
}

Action declare(Arguments& cli) {
  auto o = std::make_shared<Options>();
  cli.add_option("--system", o->system, "a system message")->type_name("TEXT");
  add_request_options(cli, o->request);
  add_plan_options(cli, o->plan);
  cli.add_option("--watchdog", o->watchdog, "an OpenAI-compatible endpoint that reads the intent")
      ->type_name("URL");
  cli.add_option("--max-tokens", o->generate.max_new_tokens, "of a reply, at most (256)")
      ->type_name("N")
      ->range(1, 1000000);
  cli.add_option("--temperature", o->generate.sampling.temperature, "0: the likeliest token (0)")
      ->type_name("T");
  return [o](Context& context) { return chat(*o, context); };
}

}  // namespace

extern const Command command_chat;
const Command command_chat{"chat", "talk; \"please forget that …\" is understood and carried out",
                           "In a pipe every line of stdin is a message; edits need --yes there.\n"
                           "Example:\n  echo \"What is the capital of Canada?\" | expunge chat",
                           declare};

}  // namespace expunge::cli
