// What a message asks for besides a reply of the model, and how that is carried out: the same for a
// chat in a terminal and for a server. An order is first proposed; nothing changes before somebody
// agrees.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "service/entries.h"
#include "service/forget.h"

namespace expunge::service {

struct EntryTitle {  // of the journal
  int64_t entry = 0;
  std::string title;
};
struct Proposal {
  int64_t id = 0;            // of whoever keeps it until it is answered
  std::string message = {};  // that it is read from
  agent::Intent intent = agent::Intent::kForget;
  bool sure = true;  // false: the message may mean something else, so even a user who agreed
                     // to edits beforehand is asked
  std::variant<agent::Plan, EntryTitle> what = {};
};

struct ForTheModel {};  // the message wants nothing: the model replies
struct AskedBack {};    // the order is not clear: the text asks what is meant
struct NothingToUndo {};
// The entries in effect; for an ambiguous undo, those it may mean.
struct ActiveEntries {
  std::vector<EntryTitle> entries;
};
struct Order {
  agent::Intent intent = agent::Intent::kNone;
  std::string text = {};  // what the assistant says; "" for the model's reply and a proposal
  std::variant<ForTheModel, AskedBack, Proposal, NothingToUndo, ActiveEntries> what = {};
};

// Reads the last message of a dialogue. Errors: those of the reader and of make_plan; kRefused for
// requests to forget everything.
base::Result<Order> read_order(Session& session, const IntentReader& reader,
                               std::span<const text::Message> dialogue, const PlanOptions& options,
                               const base::Job& job);
// To undo an entry; none: the last active one. Errors: kNotFound.
base::Result<Order> order_undo(Session& session, std::optional<int64_t> entry,
                               const std::string& message, bool sure);
base::Result<ActiveEntries> active_entries(Session& session);

// A proposal as the assistant would say it, with the question whether it shall be carried out.
std::string in_words(const Proposal& proposal);

using CarriedOut = std::variant<repair::Outcome, Undone>;
base::Result<CarriedOut> carry_out(Session& session, const Proposal& proposal,
                                   const repair::ForgetOptions& options, journal::Seal seal,
                                   const base::Job& job);
// What the assistant says of it.
std::string in_words(const CarriedOut& done);

}  // namespace expunge::service
