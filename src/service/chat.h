// One conversation. A message is answered by the model, or read as an order; an order is proposed
// first and carried out once the user agrees. What happens is reported as events, in the order in
// which it happens; nothing is printed or asked here.
//
//   say("please forget that …")  ->  Proposal            nothing has changed
//   answer(proposal.id, kYes)    ->  Turn with Forgot    now it has
//   say("what is …?")            ->  ReplyText … Turn
//
// A message that fails leaves the conversation, the model and the journal as they were.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/job.h"
#include "model/generate.h"
#include "service/dialogue.h"
#include "service/orders.h"
#include "service/slash_command.h"

namespace expunge::service {

struct TurnsLeftOut {  // the oldest turns no longer fit the model's context
  size_t n = 0;
};
struct ReplyText {  // the next piece of the model's reply
  std::string text;
};
// What became of a message: the last event of each one that is part of the conversation.
struct Replied {
  bool stopped = false;
};
struct Declined {};  // the user did not agree
struct Forgot {
  repair::Outcome outcome;
  size_t turns_hidden = 0;  // of this conversation, which contain the answer
};
struct Turn {
  std::string user, assistant;
  agent::Intent intent = agent::Intent::kNone;
  std::variant<Replied, AskedBack, Declined, Forgot, Undone, NothingToUndo, ActiveEntries> result;
};

// /log, /clear, /help and /quit are not part of the conversation and give no Turn.
struct Cleared {};
struct Help {};
struct Quit {};

using ChatEvent =
    std::variant<TurnsLeftOut, ReplyText, Proposal, Turn, ActiveEntries, Cleared, Help, Quit>;
using OnChatEvent = std::function<void(const ChatEvent&)>;

enum class Consent { kYes, kNo };

struct ChatOptions {
  std::string system;  // "" = none
  PlanOptions plan;
  repair::ForgetOptions forget;
  journal::Seal seal = journal::Seal::kNo;
  model::GenerateOptions generate;
};

class Chat {
 public:
  // Session and reader outlive it.
  Chat(Session& session, const IntentReader& reader, ChatOptions options);

  // If it ends in a Proposal, `answer` is awaited; another message declines it.
  base::Status say(const std::string& message, const OnChatEvent& on_event, const base::Job& job);
  // kConflict: that proposal is not open (any more).
  base::Status answer(int64_t proposal, Consent consent, const OnChatEvent& on_event,
                      const base::Job& job);
  const std::optional<Proposal>& proposal() const { return proposal_; }
  // The open proposal is dropped, as if its message had not been sent.
  void withdraw() { proposal_.reset(); }

 private:
  struct Call {
    const std::string& message;
    const OnChatEvent& emit;
    const base::Job& job;
  };
  base::Status obey(const SlashCommand& command, const Call& call);
  base::Status reply(const Call& call);
  base::Status follow(Order order, const Call& call);
  // A turn that the model never sees.
  void settle(Turn turn, const Call& call);

  Session& session_;
  const IntentReader& reader_;
  ChatOptions options_;
  Dialogue dialogue_;
  std::optional<Proposal> proposal_;
  int64_t proposals_ = 0;  // made so far: the ids
};

}  // namespace expunge::service
