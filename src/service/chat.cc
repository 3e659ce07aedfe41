#include "service/chat.h"

#include <algorithm>
#include <utility>

#include "agent/undo_reference.h"

namespace expunge::service {

using agent::Intent;
using base::Code;
using base::fail;
using base::Result;
using base::Status;

namespace {

constexpr const char* kDeclined = "All right, nothing was changed.";

// As the conversation remembers it.
std::string text_of(const ActiveEntries& active, Intent intent) {
  if (active.entries.empty()) return "Nothing is forgotten.";
  std::string text = intent == Intent::kUndo
                         ? "Which of these shall be undone? Say \"/undo N\" with its number."
                         : fmt::format("{} forgotten:", active.entries.size());
  for (const EntryTitle& e : active.entries) text += fmt::format("\n{:>4}  {}", e.entry, e.title);
  return text;
}

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
  const agent::Reading reading = TRY(reader_.read(dialogue_.heard(message), job));
  switch (reading.intent) {
    case Intent::kForget:
    case Intent::kCorrect:
      return propose_edit(reading, call);
    case Intent::kUndo:
      return undo_in_words(reading.sure(), call);
    case Intent::kStatus: {
      ActiveEntries entries = TRY(active());
      const std::string text = text_of(entries, Intent::kStatus);
      settle({.user = message,
              .assistant = text,
              .intent = Intent::kStatus,
              .result = std::move(entries)},
             call);
      return {};
    }
    case Intent::kNone:
      return reply(call);
  }
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
  return proposal.intent == Intent::kUndo ? undo(proposal, call) : forget(proposal, call);
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
      call.emit(TRY(active()));
      return {};
    case SlashCommand::Kind::kClear:
      dialogue_.clear();
      call.emit(Cleared());
      return {};
    case SlashCommand::Kind::kUndo:
      return propose_undo(command.entry, {.message = call.message, .intent = Intent::kUndo}, call);
  }
  return {};
}

Status Chat::reply(const Call& call) {
  const model::ChatModel model = session_.present();
  const auto shown = TRY(
      dialogue_.shown(model, call.message, static_cast<size_t>(options_.generate.max_new_tokens)));
  if (shown.left_out > 0) call.emit(TurnsLeftOut{shown.left_out});
  text::StreamDecoder decoder(model.tokenizer);
  std::string text;
  const auto take = [&](const Result<std::string>& piece) {
    if (!piece || piece->empty()) return;
    text += *piece;
    call.emit(ReplyText{*piece});
  };
  const auto generated =
      model::generate(model.model, {&shown.ids, 1}, options_.generate, {},
                      [&](size_t, std::span<const int32_t> ids) {
                        take(decoder.push(ids.back()));
                        return call.job.cancelled() ? model::Next::kStop : model::Next::kGoOn;
                      });
  // The text before it was stopped remains.
  if (!generated && generated.error().code != Code::kCancelled)
    return tl::unexpected(generated.error());
  take(decoder.finish());
  dialogue_.add_turn(call.message, text);
  call.emit(Turn{.user = call.message,
                 .assistant = text,
                 .intent = Intent::kNone,
                 .result = Replied{call.job.cancelled() || !generated}});
  return {};
}

Status Chat::propose_edit(const agent::Reading& reading, const Call& call) {
  TRY(agent::check_authority(call.message));
  if (reading.targets.empty() || reading.targets.front().prompt.empty()) {
    const std::string question =
        reading.question.empty() ? "What exactly should I forget?" : reading.question;
    settle({.user = call.message,
            .assistant = question,
            .intent = reading.intent,
            .result = AskedBack()},
           call);
    return {};
  }
  agent::Plan plan =
      TRY(make_plan(session_, requests_of(reading), reading.intent, options_.plan, call.job));
  propose({.message = call.message,
           .intent = reading.intent,
           .sure = reading.sure() && agent::has_evidence(plan),
           .what = std::move(plan)},
          call);
  return {};
}

// "Undo entry 1", "undo the edit about France", "undo that".
Status Chat::undo_in_words(bool sure, const Call& call) {
  ActiveEntries now = TRY(active());
  std::vector<agent::ActiveEdit> edits;
  for (const EntryTitle& e : now.entries) edits.push_back({e.entry, e.title});
  const agent::UndoReference meant = agent::undo_reference(call.message, edits);
  if (meant.kind != agent::UndoReference::Kind::kUnclear || now.entries.empty())
    return propose_undo(meant.entry,
                        {.message = call.message, .intent = Intent::kUndo, .sure = sure}, call);
  const std::string text = text_of(now, Intent::kUndo);
  settle(
      {.user = call.message, .assistant = text, .intent = Intent::kUndo, .result = std::move(now)},
      call);
  return {};
}

Status Chat::propose_undo(std::optional<int64_t> entry, Proposal proposal, const Call& call) {
  const ActiveEntries now = TRY(active());
  if (now.entries.empty()) {
    settle({.user = call.message,
            .assistant = "There is nothing to undo.",
            .intent = Intent::kUndo,
            .result = NothingToUndo()},
           call);
    return {};
  }
  const auto target = entry ? std::ranges::find(now.entries, *entry, &EntryTitle::entry)
                            : std::prev(now.entries.end());
  if (target == now.entries.end())
    return fail(Code::kNotFound, fmt::format("entry {} is not an active edit", *entry),
                "/log lists those that are");
  proposal.what = *target;
  propose(std::move(proposal), call);
  return {};
}

void Chat::propose(Proposal proposal, const Call& call) {
  proposal.id = ++proposals_;
  proposal_ = std::move(proposal);
  call.emit(*proposal_);
}

Status Chat::forget(const Proposal& proposal, const Call& call) {
  const auto& plan = std::get<agent::Plan>(proposal.what);
  Forgot forgot{TRY(session_.forget(plan, options_.forget, options_.seal, call.job))};
  const bool changed = forgot.outcome.verdict != repair::Verdict::kReverted;
  if (changed) forgot.turns_hidden = dialogue_.forget(plan);
  const std::string text = changed ? fmt::format("Forgotten, as entry {}.", forgot.outcome.entry)
                                   : "That did not work; nothing was changed.";
  settle({.user = proposal.message,
          .assistant = text,
          .intent = proposal.intent,
          .result = std::move(forgot)},
         call);
  return {};
}

Status Chat::undo(const Proposal& proposal, const Call& call) {
  Undone undone = TRY(session_.undo(std::get<EntryTitle>(proposal.what).entry, call.job));
  const std::string text = fmt::format("Entry {} is undone.", undone.undone);
  settle({.user = proposal.message,
          .assistant = text,
          .intent = Intent::kUndo,
          .result = std::move(undone)},
         call);
  return {};
}

Result<ActiveEntries> Chat::active() const {
  ActiveEntries active;
  for (const journal::Entry& e : TRY(session_.active())) active.entries.push_back({e.id, title(e)});
  return active;
}

void Chat::settle(Turn turn, const Call& call) {
  dialogue_.add_order(turn.user, turn.assistant);
  call.emit(turn);
}

}  // namespace expunge::service
