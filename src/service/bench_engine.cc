#include "service/bench_engine.h"

#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <sstream>

#include "model/forward.h"
#include "model/role.h"
#include "model/sampler.h"
#include "tensor/kernels/matvec.h"
#include "tensor/kernels/pool.h"
#include "tensor/kernels/probe.h"

namespace expunge::service {

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::ranges::sort(values);
  const size_t n = values.size();
  return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

namespace {

namespace kernels = tensor::kernels;
using base::Json;
using base::Result;
using model::Model;
using model::Runner;

// Seconds since this process started, to the kernel's tick (10 ms).
double process_age_s() {
  const std::string stat = base::read_file("/proc/self/stat").value_or("");
  std::istringstream fields(stat.substr(std::min(stat.rfind(')') + 1, stat.size())));
  std::string skipped;
  for (int i = 3; i < 22; ++i) fields >> skipped;
  double start_ticks = 0;
  if (!(fields >> start_ticks)) return 0;
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec) -
         start_ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
}

// Peak resident memory in MB (1e6 bytes): file pages that the map has touched are part of it.
double peak_mb() {
  const std::string status = base::read_file("/proc/self/status").value_or("");
  const size_t at = status.find("VmHWM:");
  return at == status.npos ? 0 : std::strtod(status.c_str() + at + 6, nullptr) * 1024 / 1e6;
}

std::vector<int32_t> spread_ids(const Model& model, int64_t n) {
  std::vector<int32_t> ids;
  for (int64_t i = 0; i < n; ++i)
    ids.push_back(static_cast<int32_t>((17 + 7919 * i) % model.arch().vocab_size));
  return ids;
}

int32_t best(const tensor::Tensor& logits, int64_t row) {
  const int64_t vocab = logits.size(1);
  const float* p = logits.data_ptr<float>() + row * vocab;
  return static_cast<int32_t>(model::likeliest({p, static_cast<size_t>(vocab)}));
}

// Seconds for a prompt in one pass, with the logits of its last row.
double prompt_s(const Model& model, int64_t n) {
  const std::vector<int32_t> ids = spread_ids(model, n);
  Runner runner(model);
  model::Sequence sequence;
  const model::Chunk chunk{&sequence, ids};
  const base::Stopwatch watch;
  best(runner.logits(runner.forward({&chunk, 1}).narrow(0, n - 1, 1)), 0);
  return watch.seconds();
}

// Seconds for `n` greedy steps of `batch` sequences, after a prompt of `context` tokens each.
double decode_s(const Model& model, int64_t context, int64_t batch, int64_t n) {
  const std::vector<int32_t> prompt = spread_ids(model, context);
  Runner runner(model);
  std::vector<model::Sequence> sequences(static_cast<size_t>(batch));
  std::vector<model::Chunk> chunks;
  for (model::Sequence& s : sequences) chunks.push_back({&s, prompt});
  runner.forward(chunks);
  std::vector<int32_t> next(static_cast<size_t>(batch), prompt[0]);
  for (size_t i = 0; i < chunks.size(); ++i) chunks[i].ids = std::span(next).subspan(i, 1);
  const base::Stopwatch watch;
  for (int64_t step = 0; step < n; ++step) {
    const tensor::Tensor logits = runner.logits(runner.forward(chunks));
    for (int64_t i = 0; i < batch; ++i) next[static_cast<size_t>(i)] = best(logits, i);
  }
  return watch.seconds();
}

// Matrices that a step multiplies with: all of them once, the tied embedding as the head.
struct Traffic {
  double f32_bytes = 0, block_bytes = 0, body_weights = 0;
};
Traffic traffic(const Model& model) {
  Traffic t;
  for (const auto& [name, param] : model.weights()) {
    const auto id = model::identify(model.arch(), name);
    const bool embedding = id && id->role == model::Role::kEmbedding;
    const bool head = id && id->role == model::Role::kHead;
    if (param->shape().size() != 2 || (embedding && !model.arch().tied_embeddings)) continue;
    const double f32_bytes = 4 * static_cast<double>(param->numel());
    t.f32_bytes += f32_bytes;
    t.block_bytes +=
        param->in_blocks() ? static_cast<double>(param->matrix().bytes.size()) : f32_bytes;
    if (!embedding && !head) t.body_weights += static_cast<double>(param->numel());
  }
  return t;
}

double read_gb_s(const std::vector<float>& buffer) {
  const base::Stopwatch watch;
  kernels::read_all(buffer);
  return 4e-9 * static_cast<double>(buffer.size()) / watch.seconds();
}

double gemm_gflops(const tensor::Tensor& a, tensor::Tensor& c) {
  const auto n = static_cast<double>(a.size(0));
  const base::Stopwatch watch;
  at::mm_out(c, a, a);
  return 2e-9 * n * n * n / watch.seconds();
}

double fma_gflops() {
  const base::Stopwatch watch;
  const double operations = kernels::run_fma(2'000'000);
  return 1e-9 * operations / watch.seconds();
}

constexpr int64_t kBatches[] = {2, 4, 8, 16, 64};

struct Samples {
  std::vector<double> read, gemm, fma, prompt, decode, prompt_f32, decode_f32;
  std::map<int64_t, std::vector<double>> batch;
};

Result<Samples> measure(const Model& model, const Model& f32, const BenchEngineOptions& o,
                        const base::Job& job) {
  const c10::InferenceMode no_grad;
  Samples s;
  const std::vector<float> buffer(size_t{64} << 20, 1.0F);
  const tensor::Tensor square = at::ones({2048, 2048}, tensor::f32());
  tensor::Tensor product = at::empty({2048, 2048}, tensor::f32());
  const auto rate = [](int64_t tokens, double seconds) {
    return static_cast<double>(tokens) / seconds;
  };
  for (int r = -1; r < o.repeats; ++r) {  // the first round warms up and is dropped
    TRY(job.check());
    if (r == 0) s = {};
    job.report("engine", static_cast<size_t>(r + 1), static_cast<size_t>(o.repeats));
    s.read.push_back(read_gb_s(buffer));
    s.decode.push_back(
        rate(o.decode_tokens, decode_s(model, o.decode_context, 1, o.decode_tokens)));
    s.decode_f32.push_back(
        rate(o.decode_tokens, decode_s(f32, o.decode_context, 1, o.decode_tokens)));
    s.read.push_back(read_gb_s(buffer));
    s.gemm.push_back(gemm_gflops(square, product));
    s.prompt.push_back(rate(o.prompt_tokens, prompt_s(model, o.prompt_tokens)));
    s.fma.push_back(fma_gflops());
    s.prompt_f32.push_back(rate(o.prompt_tokens, prompt_s(f32, o.prompt_tokens)));
    s.gemm.push_back(gemm_gflops(square, product));
    for (const int64_t batch : kBatches)
      s.batch[batch].push_back(rate(batch * 8, decode_s(model, o.decode_context, batch, 8)));
  }
  return s;
}

}  // namespace

Result<Json> bench_engine(const model::ChatModel& chat_model, const BenchEngineOptions& options,
                          const base::Job& job) {
  const Model& model = chat_model.model;
  const std::vector<int32_t> hello = TRY(chat_model.encode_user("What is the capital of France?"));
  return tensor::guarded([&]() -> Result<Json> {
    {
      Runner runner(model);
      model::Sequence sequence;
      const model::Chunk chunk{&sequence, hello};
      const auto last = static_cast<int64_t>(hello.size()) - 1;
      best(runner.logits(runner.forward({&chunk, 1}).narrow(0, last, 1)), 0);
    }
    const double start_s = process_age_s();
    decode_s(model, options.decode_context, 1, 8);
    const double peak = peak_mb();

    std::map<std::string, tensor::Tensor> values;
    for (const auto& [name, param] : model.weights()) values[name] = param->value();
    const auto f32 = TRY(Model::from_weights(model.arch(), std::move(values)));
    const Samples s = TRY(measure(model, f32, options, job));

    const Traffic t = traffic(model);
    const double read = median(s.read), gemm = median(s.gemm), decode = median(s.decode),
                 decode_f32 = median(s.decode_f32), prompt = median(s.prompt),
                 prompt_f32 = median(s.prompt_f32);
    Json batch = Json::object();
    for (const auto& [n, rates] : s.batch) batch[std::to_string(n)] = median(rates);
    size_t file_bytes = 0;
    if (model.file())
      for (const auto& map : model.file()->maps()) file_bytes += map->bytes().size();
    return Json{{"prompt_tok_s", prompt},
                {"decode_tok_s", decode},
                {"start_s", start_s},
                {"read_gb_s", read},
                {"gemm_gflops", gemm},
                {"fma_gflops", median(s.fma)},
                {"prompt_gemm_share", 2e-9 * t.body_weights * prompt / gemm},
                {"decode_read_share", 1e-9 * t.block_bytes * decode / read},
                {"f32",
                 {{"prompt_tok_s", prompt_f32},
                  {"decode_tok_s", decode_f32},
                  {"prompt_gemm_share", 2e-9 * t.body_weights * prompt_f32 / gemm},
                  {"decode_read_share", 1e-9 * t.f32_bytes * decode_f32 / read}}},
                {"batch", batch},
                {"peak_mb", peak},
                {"weights_mb", 1e-6 * static_cast<double>(model.weight_bytes())},
                {"file_mb", 1e-6 * static_cast<double>(file_bytes)},
                {"threads", tensor::kernels::n_threads()},
                {"repeats", options.repeats},
                {"prompt_tokens", options.prompt_tokens},
                {"decode_tokens", options.decode_tokens}};
  });
}

}  // namespace expunge::service
