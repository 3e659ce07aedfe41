#include "service/decoder.h"

#include <algorithm>
#include <future>

#include "tensor/threads.h"

namespace expunge::service {

using base::Code;
using base::Result;
using base::Status;

namespace {

constexpr size_t kWorthSharing = 8;  // tokens
constexpr size_t kReserved = 8192;  // slots of a pool; those that are not reached are never touched

size_t slot_bytes(const model::Arch& arch) {
  return static_cast<size_t>(arch.n_layers * arch.n_kv_heads * arch.head_dim) * 2 * sizeof(float);
}

// Whether they compute the same: the same tensors, and the same ends of a reply. Their hashes would
// say so too, but are made of every value.
bool is_same(const model::Model& a, const model::Model& b) {
  if (a.arch().end_ids != b.arch().end_ids || a.activations() != b.activations()) return false;
  for (const auto& [name, param] : a.weights())
    if (!b.has(name) || &*param != &b.param(name)) return false;
  return true;
}

}  // namespace

// The keys and values of an ended request.
struct Decoder::Kept {
  std::shared_ptr<model::Runner> runner;
  std::shared_ptr<Kept> beginning;  // that it was forked from
  std::vector<int32_t> ids;
  model::Sequence sequence;

  Kept(std::shared_ptr<model::Runner> r, std::shared_ptr<Kept> b, std::vector<int32_t> i,
       model::Sequence s)
      : runner(std::move(r)), beginning(std::move(b)), ids(std::move(i)), sequence(std::move(s)) {}
  Kept(const Kept&) = delete;
  ~Kept() { runner->pool().truncate(sequence, sequence.n_shared); }
  size_t n_own() const { return sequence.slots.size() - sequence.n_shared; }
};

// A model with requests, or one that had some lately.
struct Decoder::Served {
  std::shared_ptr<model::Runner> runner;
  std::list<std::shared_ptr<Kept>> kept = {};  // the latest first
  size_t n_open = 0;
};

Decoder::Decoder(const Limits& limits)
    : limits_(limits),
      scheduler_({.max_batch = limits.max_batch, .max_rows = limits.max_rows}),
      thread_([this] { loop(); }) {}

Decoder::~Decoder() {
  {
    const std::lock_guard lock(mutex_);
    stops_ = true;
  }
  submitted_.notify_one();
  thread_.join();
}

void Decoder::loop() {
  const tensor::SerialLibtorch serial;
  while (true) {
    std::vector<std::function<void()>> tasks;
    {
      std::unique_lock lock(mutex_);
      submitted_.wait(lock, [&] { return stops_ || !inbox_.empty() || scheduler_.n_open() > 0; });
      if (stops_) return;
      tasks.swap(inbox_);
    }
    for (const auto& task : tasks) task();
    tasks.clear();
    scheduler_.step();
    drop_idle();
  }
}

Status Decoder::submit(const model::Model& model, model::Request request) {
  CHECK(request.on_done && !request.runner);
  TRY(model::check_prompt(model.arch(), request.ids));
  TRY(model::validate(request.sampling));
  if (request.max_new_tokens < 1)
    return base::fail(Code::kUsage,
                      fmt::format("{} new tokens, expected 1 or more", request.max_new_tokens));
  if (n_open_.fetch_add(1) >= limits_.max_open) {
    --n_open_;
    return base::fail(Code::kUnavailable,
                      fmt::format("{} requests are open already", limits_.max_open),
                      "try again when some have ended");
  }
  {
    const std::lock_guard lock(mutex_);
    // A std::function must be copyable.
    auto shared = std::make_shared<model::Request>(std::move(request));
    inbox_.emplace_back([this, model, shared] { start(model, std::move(*shared)); });
  }
  submitted_.notify_one();
  return {};
}

Result<model::Generation> Decoder::run(const model::Model& model, model::Request request) {
  auto done = std::make_shared<std::promise<Result<model::Generation>>>();
  request.on_done = [done](Result<model::Generation> result) {
    done->set_value(std::move(result));
  };
  TRY(submit(model, std::move(request)));
  return done->get_future().get();
}

Decoder::Served& Decoder::served(const model::Model& model) {
  const auto found = std::ranges::find_if(
      served_, [&](const Served& s) { return is_same(s.runner->model(), model); });
  if (found != served_.end()) {
    served_.splice(served_.begin(), served_, found);
  } else {
    served_.push_front({std::make_shared<model::Runner>(model)});
    served_.front().runner->pool().reserve(kReserved);
  }
  return served_.front();
}

std::shared_ptr<Decoder::Kept> Decoder::longest_beginning(Served& served,
                                                          std::span<const int32_t> ids,
                                                          size_t& length) const {
  std::shared_ptr<Kept> best;
  length = 0;
  for (const auto& kept : served.kept) {
    const auto n =
        static_cast<size_t>(std::ranges::mismatch(kept->ids, ids).in1 - kept->ids.begin());
    // The last token is run in any case: its logits are wanted.
    if (std::min(n, ids.size() - 1) > length) length = std::min(n, ids.size() - 1), best = kept;
  }
  if (length < kWorthSharing) length = 0, best = nullptr;
  return best;
}

void Decoder::start(const model::Model& model, model::Request request) {
  Served& to = served(model);
  request.runner = to.runner;
  size_t length = 0;
  std::shared_ptr<Kept> beginning;
  if (!request.on_context) beginning = longest_beginning(to, request.ids, length);
  if (beginning) request.sequence = model::KvPool::fork(beginning->sequence, length, 0);
  ++totals_.requests;
  totals_.prompt_tokens += request.ids.size();
  totals_.reused_tokens += length;
  ++to.n_open;
  request.keep = [this, &to, beginning](std::vector<int32_t> ids, model::Sequence sequence) {
    keep(to, std::make_shared<Kept>(to.runner, beginning, std::move(ids), std::move(sequence)));
  };
  request.on_done = [this, &to,
                     done = std::move(request.on_done)](Result<model::Generation> result) {
    if (result) totals_.written_tokens += result->ids.size();
    --to.n_open;
    --n_open_;
    done(std::move(result));
  };
  const auto on_done = request.on_done;
  // What can be refused was checked by submit.
  if (Status status = scheduler_.submit(std::move(request)); !status)
    on_done(tl::unexpected(std::move(status.error())));
}

void Decoder::keep(Served& served, std::shared_ptr<Kept> kept) {
  if (kept->n_own() == 0) return;
  served.kept.push_front(std::move(kept));
  size_t bytes = 0;
  const size_t each = slot_bytes(served.runner->model().arch());
  for (const auto& k : served.kept) bytes += k->n_own() * each;
  // The oldest from which nothing else was forked.
  for (auto it = served.kept.end(); bytes > limits_.kept_bytes && it != served.kept.begin();) {
    --it;
    if (it->use_count() > 1) continue;
    bytes -= (*it)->n_own() * each;
    it = served.kept.erase(it);
  }
}

void Decoder::drop_idle() {
  size_t idle = 0;
  for (auto it = served_.begin(); it != served_.end();)
    it = it->n_open == 0 && ++idle > limits_.idle_models ? served_.erase(it) : std::next(it);
}

}  // namespace expunge::service
