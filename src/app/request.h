// A forget request from its proposal to its evidence, as chat, forget and demo carry it out.
#pragma once

#include <map>
#include <optional>

#include "app/command.h"
#include "repair/session.h"

namespace expunge::app {

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
void add_request_options(CLI::App& cli, RequestOptions& options);

// "name=value" of --knob.
base::Result<std::pair<std::string, std::string>> parse_knob(const std::string& text);

// --method, --knob, --rank: what the user sets of a plan.
struct PlanOptions {
  std::string method, surgeon;
  std::vector<std::string> knobs;  // name=value
  std::optional<double> rank;
};
void add_plan_options(CLI::App& cli, PlanOptions& options);
// Errors: an unknown method, an unknown knob or one out of its range.
base::Status set_plan(agent::Plan& plan, const PlanOptions& options);
// The plan of the built-in surgeon, or of the endpoint that --surgeon names; then set_plan.
base::Result<agent::Plan> make_plan(repair::Session& session, std::vector<agent::Request> requests,
                                    agent::Intent intent, const PlanOptions& options);

// Asks for consent unless given, carries out and prints the evidence. Nothing: the user said no.
base::Result<std::optional<repair::Outcome>> carry_out(Context& context, repair::Session& session,
                                                       const agent::Plan& plan,
                                                       const RequestOptions& options);

// The evidence of an outcome, and "watchdog 1 ms · plan 20 ms · …".
void print_outcome(Context& context, const repair::Outcome& outcome, const RequestOptions& options);
std::string timings(const std::map<std::string, double>& seconds);

// {prompt, answer | answers, paraphrases?, neighbours?, replacement?} of a line of --from.
base::Result<agent::Request> request_from_json(const base::Json& json, const std::string& where);

}  // namespace expunge::app
