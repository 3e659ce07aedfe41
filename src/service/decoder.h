// Decodes the replies of many callers on one thread, each on the model that it brings: requests
// join a running batch and leave it one by one (model::Scheduler), and what a prompt has in common
// with an earlier one of the same weights is not computed again.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "model/scheduler.h"

namespace expunge::service {

class Decoder {
 public:
  struct Limits {
    size_t max_open = 512;  // requests that run or wait; more are refused
    size_t max_batch = 64;  // that run at once
    size_t max_rows = 192;  // tokens of one pass: how long a prompt holds up those who write
    size_t kept_bytes = size_t{128} << 20;  // keys and values of ended requests, for each model
    size_t idle_models = 3;                 // whose keys and values are kept without a request
  };
  struct Totals {
    std::atomic<uint64_t> requests, prompt_tokens, reused_tokens, written_tokens;
  };

  explicit Decoder(const Limits& limits);
  Decoder() : Decoder(Limits()) {}
  // Open requests are dropped, their on_done is not called.
  ~Decoder();
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;

  // From any thread. `request` lacks its runner and sequence; its callbacks are called, and
  // destroyed, by the decoding thread. Errors: kUnavailable above max_open; as Scheduler::submit.
  base::Status submit(const model::Model& model, model::Request request);
  // submit, and its result. Errors: also those of the generation.
  base::Result<model::Generation> run(const model::Model& model, model::Request request);

  size_t n_open() const { return n_open_; }
  const Totals& totals() const { return totals_; }

 private:
  struct Kept;
  struct Served;
  void loop();
  void start(const model::Model& model, model::Request request);
  Served& served(const model::Model& model);
  std::shared_ptr<Kept> longest_beginning(Served& served, std::span<const int32_t> ids,
                                          size_t& length) const;
  void keep(Served& served, std::shared_ptr<Kept> kept);
  void drop_idle();

  const Limits limits_;
  Totals totals_ = {};
  std::atomic<size_t> n_open_ = 0;
  std::mutex mutex_;
  std::condition_variable submitted_;
  std::vector<std::function<void()>> inbox_;  // guarded by mutex_
  bool stops_ = false;                        // guarded by mutex_
  // The decoding thread's own; `served_` outlives the scheduler's requests.
  std::list<Served> served_;  // the latest first
  model::Scheduler scheduler_;
  std::thread thread_;
};

}  // namespace expunge::service
