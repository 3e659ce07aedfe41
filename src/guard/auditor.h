// The agents that clean a draft (ALU, arXiv 2502.00406): AuditErase writes k cleaned variants, the
// Critic scores each, the Composer merges those that are good enough, and the result is checked
// again. Unlike the published form only the touched targets are shown to the agents, every kept
// variant is above both thresholds, and whatever goes wrong ends in a decline.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/job.h"
#include "guard/scanner.h"
#include "text/message.h"

namespace expunge::guard {

// What an agent answered, and what it cost.
struct Said {
  std::string text;
  size_t prompt_tokens = 0, reply_tokens = 0;
};
// One call of the agents' model.
using Ask = std::function<base::Result<Said>(std::span<const text::Message>, const base::Job&)>;

struct AuditOptions {
  size_t variants = 5;                 // k
  double privacy = 4, usefulness = 3;  // of 5; a variant below either is dropped
};

struct Audit {
  std::optional<std::string> text = {};  // the cleaned answer; nothing: decline
  std::string why = {};                  // for the operator, without names: "no variant was clean"
  size_t calls = 0, prompt_tokens = 0, reply_tokens = 0;
};

// `touched` are indices of the scanner's targets, at least one. Three calls where one variant is
// kept, else four, however many targets there are: one writes all variants, one scores them. Errors
// of the agents and a deadline that passes end in a decline with the reason; only a job that was
// cancelled is an error, kCancelled.
base::Result<Audit> audit(const Ask& ask, const Scanner& scanner, std::span<const size_t> touched,
                          const std::string& query, const std::string& draft,
                          const AuditOptions& options, const base::Job& job);

struct SelfTest {
  size_t passed = 0, asked = 0;
  bool is_strong() const { return asked > 0 && passed * 4 >= asked * 3; }
};
// Whether a model can do the agents' work: drafts about invented people, cleaned and kept useful.
// It ends once too many have failed.
base::Result<SelfTest> self_test(const Ask& ask, const base::Job& job);

}  // namespace expunge::guard
