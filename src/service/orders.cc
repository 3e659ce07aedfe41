#include "service/orders.h"

#include <algorithm>

#include "agent/undo_reference.h"

namespace expunge::service {

using agent::Intent;
using base::Code;
using base::fail;
using base::Result;

namespace {

std::string text_of(const ActiveEntries& active, Intent intent) {
  if (active.entries.empty()) return "Nothing is forgotten.";
  std::string text = intent == Intent::kUndo
                         ? "Which of these shall be undone? Say \"/undo N\" with its number."
                         : fmt::format("{} forgotten:", active.entries.size());
  for (const EntryTitle& e : active.entries) text += fmt::format("\n{:>4}  {}", e.entry, e.title);
  return text;
}

Result<Order> order_edit(Session& session, const agent::Reading& reading, std::string message,
                         const PlanOptions& options, const base::Job& job) {
  TRY(agent::check_authority(message));
  Order order{.intent = reading.intent};
  if (reading.targets.empty() || reading.targets.front().prompt.empty()) {
    order.text = reading.question.empty() ? "What exactly should I forget?" : reading.question;
    order.what = AskedBack();
    return order;
  }
  agent::Plan plan = TRY(make_plan(session, requests_of(reading), reading.intent, options, job));
  Proposal proposal{.message = std::move(message), .intent = reading.intent};
  proposal.sure = reading.sure() && agent::has_evidence(plan);
  proposal.what = std::move(plan);
  order.what = std::move(proposal);
  return order;
}

// "Undo entry 1", "undo the edit about France", "undo that".
Result<Order> order_undo_in_words(Session& session, const std::string& message, bool sure) {
  ActiveEntries now = TRY(active_entries(session));
  std::vector<agent::ActiveEdit> edits;
  for (const EntryTitle& e : now.entries) edits.push_back({e.entry, e.title});
  const agent::UndoReference meant = agent::undo_reference(message, edits);
  if (meant.kind != agent::UndoReference::Kind::kUnclear || now.entries.empty())
    return order_undo(session, meant.entry, message, sure);
  return Order{
      .intent = Intent::kUndo, .text = text_of(now, Intent::kUndo), .what = std::move(now)};
}

}  // namespace

Result<Order> read_order(Session& session, const IntentReader& reader,
                         std::span<const text::Message> dialogue, const PlanOptions& options,
                         const base::Job& job) {
  CHECK(!dialogue.empty());
  const std::string& message = dialogue.back().content;
  const agent::Reading reading = TRY(reader.read(dialogue, job));
  switch (reading.intent) {
    case Intent::kForget:
    case Intent::kCorrect:
      return order_edit(session, reading, message, options, job);
    case Intent::kUndo:
      return order_undo_in_words(session, message, reading.sure());
    case Intent::kStatus: {
      ActiveEntries now = TRY(active_entries(session));
      return Order{
          .intent = Intent::kStatus, .text = text_of(now, Intent::kStatus), .what = std::move(now)};
    }
    case Intent::kNone:
      break;
  }
  return Order{.what = ForTheModel()};
}

Result<Order> order_undo(Session& session, std::optional<int64_t> entry, const std::string& message,
                         bool sure) {
  const ActiveEntries now = TRY(active_entries(session));
  if (now.entries.empty())
    return Order{
        .intent = Intent::kUndo, .text = "There is nothing to undo.", .what = NothingToUndo()};
  const auto target = entry ? std::ranges::find(now.entries, *entry, &EntryTitle::entry)
                            : std::prev(now.entries.end());
  if (target == now.entries.end())
    return fail(Code::kNotFound, fmt::format("entry {} is not an active edit", *entry),
                "/log lists those that are");
  Proposal proposal{.message = message, .intent = Intent::kUndo, .sure = sure};
  proposal.what = *target;
  return Order{.intent = Intent::kUndo, .what = std::move(proposal)};
}

Result<ActiveEntries> active_entries(Session& session) {
  ActiveEntries active;
  for (const journal::Entry& e : TRY(session.active())) active.entries.push_back({e.id, title(e)});
  return active;
}

std::string in_words(const Proposal& proposal) {
  if (const auto* entry = std::get_if<EntryTitle>(&proposal.what))
    return fmt::format("This would be undone: entry {}, {}. Shall I?", entry->entry, entry->title);
  const auto& plan = std::get<agent::Plan>(proposal.what);
  std::string text =
      proposal.intent == Intent::kCorrect ? "I would correct this:\n" : "I would forget this:\n";
  for (const agent::Target& t : plan.targets) {
    text += "\n- " + t.prompt;
    if (!t.response.empty()) text += " " + t.response;
    if (!t.replacement.empty()) text += fmt::format(" (from now on: {})", t.replacement);
  }
  return text + (proposal.sure ? "\n\nShall I?" : "\n\nIs that what you mean?");
}

Result<CarriedOut> carry_out(Session& session, const Proposal& proposal,
                             const repair::ForgetOptions& options, journal::Seal seal,
                             const base::Job& job) {
  if (const auto* entry = std::get_if<EntryTitle>(&proposal.what))
    return TRY(session.undo(entry->entry, job));
  return TRY(session.forget(std::get<agent::Plan>(proposal.what), options, seal, job));
}

std::string in_words(const CarriedOut& done) {
  if (const auto* undone = std::get_if<Undone>(&done))
    return fmt::format("Entry {} is undone.", undone->undone);
  const auto& outcome = std::get<repair::Outcome>(done);
  return outcome.verdict == repair::Verdict::kReverted
             ? "That did not work; nothing was changed."
             : fmt::format("Forgotten, as entry {}.", outcome.entry);
}

}  // namespace expunge::service
