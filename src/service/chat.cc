#include "service/chat.h"

#include <future>
#include <utility>

#include "service/completion.h"

namespace expunge::service {

using agent::Intent;
using base::Code;
using base::fail;
using base::Result;
using base::Status;

namespace {

constexpr const char* kDeclined = "All right, nothing was changed.";

}  // namespace

Chat::Chat(Session& session, const IntentReader& reader, ChatOptions options)
    : session_(session),
      reader_(reader),
      options_(std::move(options)),
      dialogue_(options_.system) {}

Status Chat::say(const std::string& message, const OnChatEvent& on_event, const base::Job& job) {
  if (proposal_) TRY(answer(proposal_->id, Consent::kNo, on_event, job));
  const Call call{message, on_event, job};
  if (message.starts_with('/')) return obey(TRY(parse_slash_command(message)), call);
  return follow(TRY(read_order(session_, reader_, dialogue_.heard(message), options_.plan, job)),
                call);
}

Status Chat::follow(Order order, const Call& call) {
  if (std::holds_alternative<ForTheModel>(order.what)) return reply(call);
  if (auto* proposal = std::get_if<Proposal>(&order.what)) {
    proposal->id = ++proposals_;
    proposal_ = std::move(*proposal);
    call.emit(*proposal_);
    return {};
  }
  Turn turn{.user = call.message,
            .assistant = std::move(order.text),
            .intent = order.intent,
            .result = AskedBack()};
  if (std::holds_alternative<NothingToUndo>(order.what)) turn.result = NothingToUndo();
  if (auto* active = std::get_if<ActiveEntries>(&order.what)) turn.result = std::move(*active);
  settle(std::move(turn), call);
  return {};
}

Status Chat::answer(int64_t id, Consent consent, const OnChatEvent& on_event,
                    const base::Job& job) {
  if (!proposal_ || proposal_->id != id)
    return fail(Code::kConflict, fmt::format("proposal {} is not open", id),
                "say again what is to be done");
  const Proposal proposal = *std::exchange(proposal_, std::nullopt);
  const Call call{proposal.message, on_event, job};
  if (consent == Consent::kNo) {
    settle({.user = proposal.message,
            .assistant = kDeclined,
            .intent = proposal.intent,
            .result = Declined()},
           call);
    return {};
  }
  CarriedOut done = TRY(carry_out(session_, proposal, options_.forget, options_.seal, job));
  Turn turn{.user = proposal.message,
            .assistant = in_words(done),
            .intent = proposal.intent,
            .result = AskedBack()};
  if (auto* undone = std::get_if<Undone>(&done)) {
    turn.result = std::move(*undone);
  } else {
    Forgot forgot{std::move(std::get<repair::Outcome>(done))};
    if (forgot.outcome.verdict != repair::Verdict::kReverted)
      forgot.turns_hidden = dialogue_.forget(std::get<agent::Plan>(proposal.what));
    turn.result = std::move(forgot);
  }
  settle(std::move(turn), call);
  return {};
}

Status Chat::obey(const SlashCommand& command, const Call& call) {
  switch (command.kind) {
    case SlashCommand::Kind::kHelp:
      call.emit(Help());
      return {};
    case SlashCommand::Kind::kQuit:
      call.emit(Quit());
      return {};
    case SlashCommand::Kind::kLog:
      call.emit(TRY(active_entries(session_)));
      return {};
    case SlashCommand::Kind::kClear:
      dialogue_.clear();
      call.emit(Cleared());
      return {};
    case SlashCommand::Kind::kUndo:
      return follow(TRY(order_undo(session_, command.entry, call.message, true)), call);
  }
  return {};
}

Status Chat::reply(const Call& call) {
  const model::ChatModel model = session_.present();
  std::vector<int64_t> active;
  for (const journal::Entry& e : TRY(session_.active())) active.push_back(e.id);
  dialogue_.hide_undone(active);
  const auto shown = TRY(
      dialogue_.shown(model, call.message, static_cast<size_t>(options_.generate.max_new_tokens)));
  if (shown.left_out > 0) call.emit(TurnsLeftOut{shown.left_out});
  std::string text;
  const CompletionOptions options{.sampling = options_.generate.sampling,
                                  .max_new_tokens = options_.generate.max_new_tokens};
  std::promise<Result<Completed>> done;
  TRY(complete(
      *session_.decoder(), model, shown.ids, options, call.job,
      [&](const Piece& piece) {
        text += piece.text;
        if (!piece.text.empty()) call.emit(ReplyText{piece.text});
        return !call.job.cancelled();
      },
      [&](Result<Completed> completed) { done.set_value(std::move(completed)); }));
  const Result<Completed> completed = done.get_future().get();
  // The text before it was stopped remains.
  if (!completed && completed.error().code != Code::kCancelled)
    return tl::unexpected(completed.error());
  dialogue_.add_turn(call.message, text, std::move(active));
  call.emit(Turn{.user = call.message,
                 .assistant = text,
                 .intent = Intent::kNone,
                 .result = Replied{call.job.cancelled() || !completed}});
  return {};
}

void Chat::settle(Turn turn, const Call& call) {
  dialogue_.add_order(turn.user, turn.assistant);
  call.emit(turn);
}

}  // namespace expunge::service
