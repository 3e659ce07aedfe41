// What `expunge bench` measures in addition to the engine: a forget request, a file of facts, the
// watchdog. Each works on a journal of its own, never on the user's. The figures are JSON:
// sets of numbers that are only shown and stored.
#pragma once

#include <string>

#include "base/job.h"
#include "service/access.h"
#include "service/planning.h"
#include "service/scratch.h"

namespace expunge::service {

// {request, verdict, seconds, undo_s?}: one request from words to commit, and its undo.
base::Result<base::Json> bench_request(const Place& place, const base::Job& job);

struct BenchFacts {
  std::string file = {};       // JSON lines as in data/facts/facts.jsonl
  std::string unrelated = {};  // JSON lines {question, answer}; "" = none
  int64_t sequence = 0;        // this many one after another; 0 = none
  size_t limit = 0;            // the first facts only; 0 = all
  std::string written = {};  // after the sequence, of a GGUF with edited matrices of this type too
  PlanOptions plan = {};
};
// The keys of bench_facts(Session&, …). kUsage: no such weight type.
base::Result<base::Json> bench_facts(const Place& place, const Scratch& scratch,
                                     const BenchFacts& facts, const base::Job& job);

// The keys of agent::bench_watchdog, over a file as data/watchdog/dev.jsonl.
base::Result<base::Json> bench_watchdog(const Place& place, const std::string& file,
                                        const base::Job& job);

}  // namespace expunge::service
