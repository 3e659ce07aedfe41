// expunge chat: a conversation in which "please forget …" is understood and carried out. Lines come
// in, service::Chat answers them, and its events are shown.
#include "service/chat.h"

#include "cli/access.h"
#include "cli/evidence.h"
#include "cli/layout.h"
#include "cli/request.h"
#include "cli/signals.h"
#include "service/json.h"

namespace expunge::cli {
namespace {

using base::Code;
using base::Json;
using base::Result;
using base::Status;
using service::Consent;

struct ChatFlags {
  std::string system, watchdog;
  service::PlanOptions plan;
  RequestOptions request;
  model::GenerateOptions generate;
};

constexpr const char* kHelp =
    "  Talk. \"Please forget that …\", \"undo that\" and \"what have you forgotten?\"\n"
    "  are understood.  /log  /undo [N]  /clear  /help  /quit   Ctrl+C stops a reply.\n";

// The events of a chat on the terminal, and its turns as JSON.
class View {
 public:
  View(Terminal& terminal, const RequestOptions& request) : t_(terminal), request_(request) {}

  void show(const service::ChatEvent& event) {
    std::visit([this](const auto& e) { show(e); }, event);
  }
  const Json& turns() const { return turns_; }
  bool quits() const { return quits_; }
  void failed(const std::string& line, const base::Error& error) {
    turns_.push_back({{"user", line}, {"error", error.message}});
  }

 private:
  void show(const service::TurnsLeftOut&) {
    t_.note("(the oldest turns no longer fit and were left out)");
  }
  void show(const service::ReplyText& e) { t_.print(printable(e.text)); }
  void show(const service::Proposal&) { t_.clear_progress(); }  // see Conversation::consent
  void show(const service::Cleared&) { t_.line("A new conversation."); }
  void show(const service::Help&) { t_.print(kHelp); }
  void show(const service::Quit&) { quits_ = true; }
  void show(const service::ActiveEntries& active) {
    t_.line("{}", active.entries.empty() ? "Nothing is forgotten."
                                         : fmt::format("{} forgotten:", active.entries.size()));
    for (const service::EntryTitle& e : active.entries)
      t_.line("{}", fit(fmt::format("{:>4}  {}", e.entry, e.title), kColumns));
  }
  void show(const service::Turn& turn) {
    t_.clear_progress();
    std::visit([&](const auto& result) { show(turn, result); }, turn.result);
    turns_.push_back(service::to_json(turn));
  }

  void show(const service::Turn&, const service::Replied& replied) {
    t_.print(replied.stopped ? t_.paint(Tone::kDim, " [stopped]") + "\n" : "\n");
  }
  void show(const service::Turn& turn, const service::AskedBack&) {
    t_.line("{}", wrap(printable(turn.assistant), kColumns, 0));
  }
  void show(const service::Turn& turn, const service::Declined&) {
    if (t_.interactive()) t_.line("{}", turn.assistant);
  }
  void show(const service::Turn& turn, const service::NothingToUndo&) {
    t_.line("{}", turn.assistant);
  }
  void show(const service::Turn& turn, const service::ActiveEntries& active) {
    if (turn.intent == agent::Intent::kUndo)
      show_lines(turn.assistant);
    else
      show(active);
  }
  void show(const service::Turn&, const service::Forgot& forgot) {
    print_outcome(t_, forgot.outcome,
                  request_.details ? verify::Detail::kItems : verify::Detail::kFigures);
    if (forgot.turns_hidden > 0)
      t_.line("{}", t_.paint(Tone::kDim,
                             "Turns of this chat that hold it are no longer shown to the model."));
  }
  void show(const service::Turn&, const service::Undone& undone) {
    t_.line("{} entry {} in {}{}", t_.paint(Tone::kGood, "Undone:"), undone.undone,
            duration(undone.seconds),
            undone.is_base ? "; the weights are the model's file again, bit for bit" : "");
    if (const std::string text = recheck_line(t_, undone.others); !text.empty())
      t_.line("{}", text);
  }

  void show_lines(std::string_view text) {
    for (size_t end = 0; !text.empty(); text.remove_prefix(std::min(end + 1, text.size()))) {
      end = std::min(text.find('\n'), text.size());
      t_.line("{}", fit(std::string(text.substr(0, end)), kColumns));
    }
  }

  Terminal& t_;
  const RequestOptions& request_;
  Json turns_ = Json::array();
  bool quits_ = false;
};

class Conversation {
 public:
  Conversation(Context& context, service::Chat chat, const RequestOptions& request)
      : context_(context),
        t_(context.terminal),
        chat_(std::move(chat)),
        request_(request),
        view_(context.terminal, request) {}

  Result<Answer> run() {
    while (!view_.quits()) {
      rearm(context_.job);
      const auto line = TRY(t_.read_line("> "));
      if (!line) break;
      if (line->find_first_not_of(" \t") == std::string::npos) continue;
      // An error in one message does not end the conversation.
      if (const Status status = exchange(*line); !status) TRY(failed(*line, status.error()));
    }
    if (t_.interactive()) t_.line("");
    return Answer{Json{{"turns", view_.turns()}}, exit_status_};
  }

 private:
  Status exchange(const std::string& line) {
    const auto show = [this](const service::ChatEvent& event) { view_.show(event); };
    TRY(chat_.say(line, show, context_.job));
    if (const auto& open = chat_.proposal())
      TRY(chat_.answer(open->id, TRY(consent(*open)), show, context_.job));
    // In a pipe nobody can type on: Ctrl+C ends the program.
    return t_.interactive() ? Status() : context_.job.check();
  }

  Result<Consent> consent(const service::Proposal& p) {
    const bool given = request_.agreement == Agreement::kGiven;
    if (given && p.sure) return Consent::kYes;
    if (!p.sure) t_.line("{}", t_.paint(Tone::kDim, "I am not sure that I understand."));
    const auto* plan = std::get_if<agent::Plan>(&p.what);
    const auto* entry = std::get_if<service::EntryTitle>(&p.what);
    const std::string question =
        plan ? proposal(*plan) + "?"
             : fmt::format("Undo entry {}: {}?", entry->entry, entry->title);
    if (t_.interactive()) return TRY(t_.confirm(question)) ? Consent::kYes : Consent::kNo;
    t_.line("{}", question);
    t_.line("Nothing was changed: {}.",
            given
                ? fmt::format("say it more plainly, or use 'expunge {}'", plan ? "forget" : "undo")
                : "run with --yes to edit where nobody can be asked");
    return Consent::kNo;
  }

  Status failed(const std::string& line, const base::Error& error) {
    chat_.withdraw();
    const bool stopped = error.code == Code::kCancelled;
    if (error.code == Code::kInternal || (stopped && !t_.interactive()))
      return tl::unexpected(error);
    if (stopped) {
      t_.clear_progress();
      t_.line("{}", t_.paint(Tone::kDim, "Stopped; nothing was changed."));
      return {};
    }
    if (t_.json())  // one object on stdout, at the end
      t_.note("error: " + error.message);
    else
      t_.print_error(error);
    view_.failed(line, error);
    if (!t_.interactive() && exit_status_ == 0)
      exit_status_ = base::code_info(error.code).exit_status;
    return {};
  }

  Context& context_;
  Terminal& t_;
  service::Chat chat_;
  const RequestOptions& request_;
  View view_;
  int exit_status_ = 0;  // of the first message that failed if nobody was there to see it
};

Result<Answer> chat(const ChatFlags& o, Context& context) {
  Terminal& t = context.terminal;
  if (!o.system.empty()) TRY(check_text(o.system, "--system"));
  const auto session = TRY(open_session(context, journal::Mode::kReadWrite));
  const auto reader = TRY(service::IntentReader::make(o.watchdog, *session));
  t.clear_progress();
  if (t.interactive()) {
    t.line("{}", t.paint(Tone::kDim, fit(session->present().path, kColumns)));
    t.print(t.paint(Tone::kDim, kHelp));
  }
  service::Chat chat(
      *session, reader,
      {o.system, o.plan, forget_options(t, o.request), seal_of(o.request), o.generate});
  return Conversation(context, std::move(chat), o.request).run();
}

Action declare_chat(Arguments& cli) {
  auto o = std::make_shared<ChatFlags>();
  cli.add_option("--system", o->system, "a system message")->type_name("TEXT");
  add_request_options(cli, o->request);
  add_plan_options(cli, o->plan);
  cli.add_option("--watchdog", o->watchdog,
                 "who reads the intent: 'self' (this model), or an endpoint's URL")
      ->type_name("WHO");
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
                           declare_chat};

}  // namespace expunge::cli
