// `bench facts`: a file of facts (data/facts) forgotten one by one and in sequence, with every
// figure of the efficacy goals and every failure. Measured neighbours never enter a plan.
#pragma once

#include <string>

#include "base/json.h"
#include "service/session.h"

namespace expunge::service {

struct BenchFactsOptions {
  std::string facts = {};      // JSON lines as in data/facts/facts.jsonl
  std::string unrelated = {};  // JSON lines {question, answer}; "" = none
  int64_t sequence = 0;        // length of the sequence; 0 = none
  size_t limit = 0;            // first facts only; 0 = all
  // How a request becomes a plan; empty = Session::plan.
  std::function<base::Result<agent::Plan>(Session&, const agent::Request&)> plan = {};
  // The model with the journal's edits as an export writes it, read again; empty = not measured.
  std::function<base::Result<model::ChatModel>(Session&)> written = {};
};
// Of the facts, paraphrases, neighbours and other questions those that the unedited model answers.
// {items, given, unrelated_items, exact, paraphrase, strict, relaxed, neighbours, same_subject,
// same_subject_first,
//  unrelated, refusal, ppl_ratio, request_s_median, gates, failures, facts:[…],
//  sequence:{n, exact, paraphrase, neighbours, unrelated, ppl_ratio, after:[…], written:{…}}}
base::Result<base::Json> bench_facts(Session& session, const BenchFactsOptions& options,
                                     const base::Job& job = {});

}  // namespace expunge::service
