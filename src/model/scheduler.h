// Decodes many requests at once: they join a running batch and leave it one by one, and each gets
// the tokens that it would get alone.
//
// A step advances every batch by one token: a pass runs the last token of the requests that write
// and, in parts where they are long, the prompts of those that join, unpadded. Requests of one
// Runner, that is of one model and one pool of keys and values, form a batch; a scheduler takes
// requests of several runners (the base and an edited model, say) and steps their batches in turn.
//
// "The same tokens": a product of one to four rows sums in another order than one of more, so
// logits agree to float rounding (relative 1e-6), not to the bit; a request's stream of random
// numbers is its own.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "base/job.h"
#include "model/forward.h"
#include "model/sampler.h"

namespace expunge::model {

enum class Stop { kEndOfTurn, kLength, kCaller };

// Activations at one layer of the tokens that were run: the prompt, and the reply except its last
// token, unless the reply ended its turn.
struct Trace {
  Tensor entering;   // [n,D], the residual stream that enters the layer
  Tensor mlp_input;  // [n,D]
};
// Appends to `trace` what a pass leaves at the layer; layer > 0. `trace` must outlive the hook.
Hook tracing(int64_t layer, Trace& trace);

struct Generation {
  std::vector<int32_t> ids;  // without the end-of-turn token
  Stop stop = Stop::kLength;
  Trace trace;                                   // if requested
  std::optional<int32_t> end_id = std::nullopt;  // the end-of-turn token, if generated
};

enum class Next { kGoOn, kStop };

struct Request {
  std::shared_ptr<Runner> runner;
  // The context: the tokens of `sequence`, already in the runner's pool, and at least one
  // new token, unless the logits [V] that follow the context are known.
  std::vector<int32_t> ids;
  Sequence sequence = {};  // often a fork of one that must outlive the request
  Tensor next_logits = {};
  int64_t max_new_tokens = 256;
  Sampling sampling = {};
  int64_t trace_layer = 0;  // 0: no trace
  Trace begun = {};         // the trace of `sequence`'s tokens
  base::Job job = {};       // when cancelled, this request alone leaves
  // All are called by the thread that steps; the others may submit. `ids`: the tokens generated so
  // far. `constrain` sees the logits [V] of the next token and sets those of what may not come to
  // minus infinity.
  std::function<void(std::span<const int32_t> ids, std::span<float> logits)> constrain = {};
  std::function<Next(std::span<const int32_t> ids)> on_token = {};
  // The logits [V] after the context's token `position`, for all of its tokens that are run.
  std::function<void(size_t position, std::span<const float> logits)> on_context = {};
  // Gets the sequence with the tokens that are in it, instead of their slots being freed. It must
  // not outlive what the request's `sequence` was forked from.
  std::function<void(std::vector<int32_t> ids, Sequence sequence)> keep = {};
  std::function<void(base::Result<Generation>)> on_done;
};

// Errors: an empty prompt, an id outside the vocabulary, no room for another token.
base::Status check_prompt(const Arch& config, std::span<const int32_t> ids);

class Scheduler {
 public:
  struct Limits {
    size_t max_batch = 64;  // requests of one batch
    // Tokens of one pass, above the number of requests that write: what is left to them is for
    // prompts, in order of arrival.
    size_t max_rows = 1024;
  };
  explicit Scheduler(const Limits& limits);
  Scheduler();
  // Unfinished requests are dropped: their slots are freed, on_done is not called.
  ~Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  // From any thread. Errors: as check_prompt; invalid sampling settings; fewer than one token.
  base::Status submit(Request request);
  // Unfinished requests; from any thread.
  size_t n_open() const { return n_open_; }

  // By one thread at a time. False where there was nothing to do.
  bool step();
  void run() {
    while (step()) {
    }
  }
  // Sleeps until a request is submitted, at most this long. True if step() has work.
  bool wait(std::chrono::milliseconds most);

 private:
  struct Running;
  struct Batch;
  struct Part;
  void admit();
  void leave_cancelled(Batch& batch);
  std::vector<Part> parts(Batch& batch) const;
  base::Status pass(Batch& batch);
  void advance(Running& r, std::span<float> logits);
  void leave(Running& r, base::Result<Generation> result);

  const Limits limits_;
  std::mutex mutex_;
  std::condition_variable submitted_;
  std::deque<Request> inbox_;  // guarded by mutex_; the rest is the stepping thread's
  std::deque<Request> waiting_;
  std::list<Batch> batches_;
  std::atomic<size_t> n_open_ = 0;
};

}  // namespace expunge::model
