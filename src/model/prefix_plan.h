// Which beginnings of a set of sequences are computed once, and what each sequence continues.
//
// plan_prefixes() only compares token ids; PlannedRun carries a plan out on a Runner. Generation,
// stages, scoring, capturing and training all share beginnings by this plan, so that a row that two
// sequences have in common is run once. Sequences that join a running batch later are not planned.
#pragma once

#include <limits>
#include <span>
#include <vector>

#include "model/forward.h"

namespace expunge::model {

// The tokens of a sequence that are run. The rows of ids[first_wanted..] are read; those
// before are context only.
struct PlanInput {
  std::span<const int32_t> ids;
  size_t first_wanted = 0;  // at most ids.size()
};

enum class Sharing {
  kBeginning,   // what all sequences begin with; they keep the order given
  kNeighbours,  // also sorted, so that each continues the one it has most in common with
};

struct PlanOptions {
  Sharing sharing = Sharing::kBeginning;
  size_t worth_sharing = 1;  // a shorter common beginning is not run by itself
  size_t pass_rows = 1024;   // of one pass; a longer sequence is a pass by itself
};

struct PrefixPlan {
  static constexpr size_t kNever = std::numeric_limits<size_t>::max();  // worth_sharing, pass_rows

  // A sequence of a pass. It continues the common beginning where n_known is n_begun, else the
  // first n_known tokens of the step before it.
  struct Step {
    size_t input = 0;           // among those given
    size_t n_known = 0;         // tokens that are not run again
    std::vector<int64_t> rows;  // where tokens n_begun.. are among the pass's rows
  };
  struct Pass {
    std::vector<Step> steps;
    size_t n_rows = 0;
  };

  size_t n_begun = 0;        // tokens that all begin with; run before the passes, no row is wanted
  size_t pass_rows = 1024;   // as in the options
  std::vector<Pass> passes;  // every input is a step of exactly one of them
};
PrefixPlan plan_prefixes(std::span<const PlanInput> inputs, const PlanOptions& options = {});

// A plan's sequences in a runner's pool. Runner, inputs and plan must outlive it.
class PlannedRun {
 public:
  PlannedRun(Runner& runner, std::span<const PlanInput> inputs, const PrefixPlan& plan,
             int32_t hidden_id = -1)  // as in Chunk
      : runner_(runner), inputs_(inputs), plan_(plan), hidden_id_(hidden_id) {}

  // Runs the common beginning; hook and last_layer as in Runner::forward.
  void begin(const Hook& hook = {}, int64_t last_layer = -1);
  const Sequence& beginning() const { return beginning_; }
  // -> hidden states [n_rows,D], undefined where the pass has no row. Its slots are free again.
  Tensor pass(const PrefixPlan::Pass& pass, const Hook& hook = {}, int64_t last_layer = -1);

 private:
  Sequence fork(const Sequence& before, const PrefixPlan::Step& step) const;

  Runner& runner_;
  std::span<const PlanInput> inputs_;
  const PrefixPlan& plan_;
  int32_t hidden_id_;
  Sequence beginning_;
};

}  // namespace expunge::model
