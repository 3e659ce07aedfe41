// What a forget request takes on the command line, and how its outcome is shown: for chat, forget
// and demo.
#pragma once

#include "cli/command.h"
#include "service/forget.h"

namespace expunge::cli {

enum class Agreement { kAsk, kGiven };        // to edits
enum class Partial { kAsk, kKeep, kRevert };  // what becomes of an edit that fails a gate

struct RequestOptions {
  Agreement agreement = Agreement::kAsk;
  Partial partial = Partial::kAsk;
  bool seal = false, details = false;
  uint64_t seed = 1;
  double budget_s = 20;
};
// --yes, --keep-partial, --seal, --seed, --budget, --details.
void add_request_options(Arguments& cli, RequestOptions& options);
// --method, --knob, --rank, --surgeon.
void add_plan_options(Arguments& cli, service::PlanOptions& options);

// Where a gate fails and nothing was said beforehand, the person at the terminal decides.
repair::ForgetOptions forget_options(Terminal& terminal, const RequestOptions& options);
inline journal::Seal seal_of(const RequestOptions& o) {
  return o.seal ? journal::Seal::kYes : journal::Seal::kNo;
}
// The person agrees to the plan, or has agreed beforehand. kUsage: nobody can be asked here.
base::Result<bool> agrees(Terminal& terminal, const agent::Plan& plan, Agreement agreement);

void print_outcome(Terminal& terminal, const repair::Outcome& outcome, verify::Detail detail);

inline verify::Detail detail_of(const RequestOptions& o) {
  return o.details ? verify::Detail::kItems : verify::Detail::kFigures;
}
// Shows the plan, asks if nobody has agreed, carries it out and prints what became of it.
base::Result<service::Carried> propose_and_forget(const agent::Plan& plan,
                                                  const RequestOptions& options,
                                                  service::Session& session, Context& context);

}  // namespace expunge::cli
