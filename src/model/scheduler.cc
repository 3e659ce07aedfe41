#include "model/scheduler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

namespace expunge::model {

using base::Code;
using base::Result;
using base::Status;

struct Scheduler::Running {
  Request request;  // ids and sequence grow
  Sampler sampler;
  Generation result;
  std::vector<Trace> traces;
  bool left = false;

  explicit Running(Request r) : request(std::move(r)), sampler(request.sampling) {
    if (request.begun.entering.defined()) traces.push_back(request.begun);
  }
  // Tokens that are not in the pool yet.
  std::span<const int32_t> fresh() const {
    return std::span(request.ids).subspan(request.sequence.length());
  }
  Trace trace() const {
    Trace all;
    if (traces.empty()) return all;
    std::vector<Tensor> entering, mlp_input;
    for (const Trace& t : traces) entering.push_back(t.entering), mlp_input.push_back(t.mlp_input);
    return {at::cat(entering), at::cat(mlp_input)};
  }
};

// What a pass runs of a request.
struct Scheduler::Part {
  Running* running;
  std::span<const int32_t> ids;
  bool is_last;  // the context is complete with it
};

struct Scheduler::Batch {
  std::shared_ptr<Runner> runner;
  std::deque<Running> running;
};

Hook tracing(int64_t layer, Trace& trace) {
  return [layer, &trace](Point point, int64_t at, Tensor value) {
    const auto append = [&](Tensor& to) { to = to.defined() ? at::cat({to, value}) : value; };
    if (point == Point::kBlockOutput && at == layer - 1) append(trace.entering);
    if (point == Point::kMlpInput && at == layer) append(trace.mlp_input);
    return value;
  };
}

Status check_prompt(const Arch& config, std::span<const int32_t> ids) {
  if (ids.empty()) return base::fail(Code::kInvalid, "the prompt is empty", "give some text");
  if (static_cast<int64_t>(ids.size()) >= config.context_length)
    return base::fail(Code::kInvalid,
                      fmt::format("the prompt has {} tokens, the model's context holds {}",
                                  ids.size(), config.context_length),
                      "shorten the prompt or start a new conversation");
  for (const int32_t id : ids)
    if (id < 0 || id >= config.vocab_size)
      return base::fail(Code::kInvalid, fmt::format("token id {} is outside the vocabulary of {}",
                                                    id, config.vocab_size));
  return {};
}

Scheduler::Scheduler(const Limits& limits) : limits_(limits) {}
Scheduler::Scheduler() : Scheduler(Limits()) {}
Scheduler::~Scheduler() {
  for (Batch& batch : batches_)
    for (Running& r : batch.running)
      batch.runner->pool().truncate(r.request.sequence, r.request.sequence.n_shared);
}

Status Scheduler::submit(Request request) {
  CHECK(request.runner && request.on_done);
  const Arch& config = request.runner->model().arch();
  TRY(check_prompt(config, request.ids));
  TRY(validate(request.sampling));
  if (request.max_new_tokens < 1)
    return base::fail(Code::kUsage,
                      fmt::format("{} new tokens, expected 1 or more", request.max_new_tokens));
  CHECK(request.trace_layer >= 0 && request.trace_layer < config.n_layers);
  const size_t n_known = request.sequence.length();
  CHECK(n_known + (request.next_logits.defined() ? 0 : 1) <= request.ids.size());
  ++n_open_;
  {
    const std::lock_guard lock(mutex_);
    inbox_.push_back(std::move(request));
  }
  submitted_.notify_one();
  return {};
}

bool Scheduler::wait(std::chrono::milliseconds most) {
  if (!waiting_.empty() || !batches_.empty()) return true;
  std::unique_lock lock(mutex_);
  return submitted_.wait_for(lock, most, [&] { return !inbox_.empty(); });
}

// In order of arrival while their batches have room: none overtakes another of its batch.
void Scheduler::admit() {
  {
    const std::lock_guard lock(mutex_);
    std::ranges::move(inbox_, std::back_inserter(waiting_));
    inbox_.clear();
  }
  std::deque<Request> left;
  for (Request& request : waiting_) {
    auto batch = std::ranges::find(batches_, request.runner, &Batch::runner);
    if (batch != batches_.end() && batch->running.size() >= limits_.max_batch) {
      left.push_back(std::move(request));
      continue;
    }
    if (batch == batches_.end()) batch = batches_.insert(batch, {request.runner, {}});
    Running& r = batch->running.emplace_back(std::move(request));
    if (r.request.next_logits.defined()) {
      const Tensor logits = std::move(r.request.next_logits).clone();  // others may have it too
      advance(r, {logits.data_ptr<float>(), static_cast<size_t>(logits.numel())});
    }
  }
  waiting_ = std::move(left);
}

bool Scheduler::step() {
  admit();
  const bool worked = !batches_.empty();
  for (Batch& batch : batches_) {
    leave_cancelled(batch);
    if (batch.running.empty()) continue;
    const Status status = tensor::guarded([&] { return pass(batch); });
    if (!status)
      for (Running& r : batch.running)
        if (!r.left) leave(r, tl::unexpected(status.error()));
    std::erase_if(batch.running, [](const Running& r) { return r.left; });
  }
  std::erase_if(batches_, [](const Batch& batch) { return batch.running.empty(); });
  return worked;
}

void Scheduler::leave_cancelled(Batch& batch) {
  for (Running& r : batch.running) {
    if (r.left) continue;
    if (const Status status = r.request.job.check(); !status)
      leave(r, tl::unexpected(status.error()));
  }
  std::erase_if(batch.running, [](const Running& r) { return r.left; });
}

// The requests of the coming pass, in the batch's order: those that write, and as much of the
// prompts as there is room for.
std::vector<Scheduler::Part> Scheduler::parts(Batch& batch) const {
  const auto writing = static_cast<size_t>(
      std::ranges::count_if(batch.running, [](const Running& r) { return r.fresh().size() == 1; }));
  size_t room = limits_.max_rows > writing ? limits_.max_rows - writing : 0;
  if (writing == 0) room = std::max<size_t>(room, 1);
  std::vector<Part> parts;
  for (Running& r : batch.running) {
    const size_t fresh = r.fresh().size(), n = fresh == 1 ? 1 : std::min(fresh, room);
    if (fresh > 1) room -= n;
    if (n > 0) parts.push_back({&r, r.fresh().first(n), n == fresh});
  }
  return parts;
}

// One token for each request whose context is complete with this pass.
Status Scheduler::pass(Batch& batch) {
  const std::vector<Part> parts = this->parts(batch);
  std::vector<Chunk> chunks;
  std::vector<int64_t> rows;        // whose logits are wanted
  std::map<int64_t, Trace> traces;  // of this pass, by layer
  int64_t n_rows = 0;
  for (const Part& part : parts) {
    chunks.push_back({&part.running->request.sequence, part.ids});
    const auto n = static_cast<int64_t>(part.ids.size());
    if (part.running->request.on_context)
      for (int64_t i = 0; i < n; ++i) rows.push_back(n_rows + i);
    else if (part.is_last)
      rows.push_back(n_rows + n - 1);
    n_rows += n;
    if (part.running->request.trace_layer > 0) traces[part.running->request.trace_layer];
  }
  Hook hook;
  if (!traces.empty())
    hook = [&](Point point, int64_t at, const Tensor& value) {
      for (auto& [layer, trace] : traces) tracing(layer, trace)(point, at, value);
      return value;
    };
  Tensor hidden = batch.runner->forward(chunks, hook);  // [n_rows,D]
  int64_t row = 0;
  for (const Part& part : parts) {
    Running& r = *part.running;
    const auto n = static_cast<int64_t>(part.ids.size());
    if (r.request.trace_layer > 0) {
      const Trace& t = traces[r.request.trace_layer];
      r.traces.push_back({t.entering.narrow(0, row, n), t.mlp_input.narrow(0, row, n)});
    }
    row += n;
  }
  if (rows.empty()) return {};
  if (n_rows > static_cast<int64_t>(rows.size()))
    hidden =
        hidden.index_select(0, at::tensor(at::ArrayRef<int64_t>(rows), tensor::i64()));  // [R,D]
  const Tensor logits = batch.runner->logits(hidden);                                    // [R,V]
  const auto vocab = static_cast<size_t>(logits.size(1));
  float* next = logits.data_ptr<float>();
  for (const Part& part : parts) {
    Request& request = part.running->request;
    const size_t n = request.on_context ? part.ids.size() : part.is_last ? 1 : 0;
    const size_t end = request.sequence.length();  // after this part
    if (request.on_context)
      for (size_t i = 0; i < n; ++i) request.on_context(end - n + i, {next + i * vocab, vocab});
    next += n * vocab;
    if (part.is_last) advance(*part.running, {next - vocab, vocab});
  }
  return {};
}

// Chooses the request's next token; it may leave. Logits of ids that are no tokens are masked.
void Scheduler::advance(Running& r, std::span<float> logits) {
  Request& request = r.request;
  const Arch& config = request.runner->model().arch();
  for (const int32_t id : config.unspoken)
    logits[static_cast<size_t>(id)] = -std::numeric_limits<float>::infinity();
  if (request.constrain) request.constrain(r.result.ids, logits);
  const int32_t id = r.sampler.next(logits, request.ids);
  if (const float value = logits[static_cast<size_t>(id)]; !std::isfinite(value))
    return leave(r, base::fail(Code::kNumeric, fmt::format("a logit is {}", value),
                               "the weights or an edit are damaged"));
  std::optional<Stop> stop;
  if (std::ranges::find(config.end_ids, id) != config.end_ids.end()) {
    stop = Stop::kEndOfTurn;
    r.result.end_id = id;
  } else {
    r.result.ids.push_back(id);
    request.ids.push_back(id);
    if (request.on_token && request.on_token(r.result.ids) == Next::kStop)
      stop = Stop::kCaller;
    else if (static_cast<int64_t>(r.result.ids.size()) >= request.max_new_tokens ||
             static_cast<int64_t>(request.ids.size()) >= config.context_length)
      stop = Stop::kLength;
  }
  if (!stop) return;
  r.result.stop = *stop;
  r.result.trace = r.trace();
  leave(r, std::move(r.result));
}

void Scheduler::leave(Running& r, Result<Generation> result) {
  r.left = true;
  Sequence& sequence = r.request.sequence;
  if (r.request.keep) {
    r.request.ids.resize(sequence.length());  // the last token may not have been run
    r.request.keep(std::move(r.request.ids), std::move(sequence));
  } else {
    r.request.runner->pool().truncate(sequence, sequence.n_shared);
  }
  --n_open_;
  r.request.on_done(std::move(result));
}

}  // namespace expunge::model
