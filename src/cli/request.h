// A forget request from its proposal to its evidence, as chat, forget and demo carry it out.
#pragma once

#include <map>
#include <optional>

#include "cli/command.h"
#include "service/planning.h"

namespace expunge::cli {

enum class Consent { kAsk, kGiven };
enum class Partial { kAsk, kKeep, kRevert };  // what becomes of an edit that fails a gate

struct RequestOptions {
  Consent consent = Consent::kAsk;
  Partial partial = Partial::kAsk;
  bool seal = false, details = false;
  uint64_t seed = 1;
  double budget_s = 20;
};
// --yes, --keep-partial, --seal, --seed, --budget, --details.
void add_request_options(Arguments& cli, RequestOptions& options);

// --method, --knob, --rank, --surgeon.
void add_plan_options(Arguments& cli, service::PlanOptions& options);
// Asks for consent unless given, carries out and prints the evidence. Nothing: the user said no.
base::Result<std::optional<repair::Outcome>> carry_out(Context& context, service::Session& session,
                                                       const agent::Plan& plan,
                                                       const RequestOptions& options);

// The evidence of an outcome, and "watchdog 1 ms · plan 20 ms · …".
void print_outcome(Context& context, const repair::Outcome& outcome, const RequestOptions& options);
std::string timings(const std::map<std::string, double>& seconds);

}  // namespace expunge::cli
