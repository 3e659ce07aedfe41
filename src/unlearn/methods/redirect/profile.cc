#include "unlearn/methods/redirect/profile.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>

#include "model/generate.h"
#include "model/role.h"
#include "tensor/tensor_map.h"
#include "unlearn/methods/redirect/shift.h"

namespace expunge::unlearn::redirect {
namespace {

using base::Result;

constexpr const char* kVersion = "4";
constexpr uint64_t kSeed = 1;
constexpr size_t kPromptsAPart = 160, kQuestionsAPart = 64;
constexpr int64_t kReplyTokens = 40;

// MLP inputs at the prompts' rows [n,D]. Sorted by ids, each prompt follows the one that it
// shares most with, so that a capture computes common beginnings once.
Result<Tensor> of_prompts(const model::Model& model, const std::vector<TokenSpan>& prompts,
                          int64_t layer, const Parts& parts, const base::Job& job) {
  std::vector<size_t> order(prompts.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::stable_sort(order, {}, [&](size_t i) -> const auto& { return prompts[i].ids; });
  std::vector<Tensor> captured;
  for (size_t first = 0; first < order.size(); first += kPromptsAPart) {
    TRY(job.check());
    job.report("reading the retain prompts", first, order.size());
    const size_t end = std::min(order.size(), first + kPromptsAPart);
    captured.push_back(TRY(parts.get(fmt::format("prompts-{}", first), [&] {
      std::vector<TokenSpan> some;
      for (size_t i = first; i < end; ++i) some.push_back(prompts[order[i]]);
      return capture(model, some, model::Point::kMlpInput, layer, job);
    })));
  }
  std::vector<int64_t> place(order.size());  // of each prompt in what was captured
  for (size_t i = 0; i < order.size(); ++i) place[order[i]] = static_cast<int64_t>(i);
  return at::cat(captured).index_select(0, at::tensor(at::ArrayRef<int64_t>(place), tensor::i64()));
}

// The same at every token of prose.
Result<Tensor> of_texts(const model::Model& model, const std::vector<std::vector<int32_t>>& texts,
                        int64_t layer, const base::Job& job) {
  std::vector<TokenSpan> rows;
  for (const auto& ids : texts) rows.push_back({ids, 0, static_cast<int64_t>(ids.size())});
  return capture(model, rows, model::Point::kMlpInput, layer, job);
}

// The same at every token of the questions and of the model's replies to them. A reply's last token
// is not run, so one more is requested.
Result<Tensor> of_conversations(const model::Model& model,
                                std::span<const std::vector<int32_t>> questions, int64_t layer,
                                const base::Job& job) {
  model::GenerateOptions options;
  options.max_new_tokens = kReplyTokens + 1;
  options.trace_layer = layer;
  std::vector<Tensor> states;
  for (auto& reply : TRY(model::generate(model, questions, options, job)))
    states.push_back(std::move(reply.trace.mlp_input));
  return at::cat(states);
}

Result<Tensor> pool_of(const model::Model& model, const PreparationInputs& inputs, int64_t layer,
                       const Parts& parts, const base::Job& job) {
  std::vector<Tensor> pool{TRY(of_prompts(model, inputs.prompts, layer, parts, job))};
  if (!inputs.texts.empty())
    pool.push_back(
        TRY(parts.get("texts", [&] { return of_texts(model, inputs.texts, layer, job); })));
  const std::span questions(inputs.questions);
  for (size_t first = 0; first < questions.size(); first += kQuestionsAPart) {
    TRY(job.check());
    job.report("reading the model's own replies", first, questions.size());
    const size_t n = std::min(kQuestionsAPart, questions.size() - first);
    pool.push_back(TRY(parts.get(fmt::format("questions-{}", first), [&] {
      return of_conversations(model, questions.subspan(first, n), layer, job);
    })));
  }
  return at::cat(pool);
}

// Neurons by what they add to the residual stream on the pool: mean |activation| times column norm.
std::vector<int64_t> spare_neurons(const model::Model& model, const Tensor& pool, int64_t layer) {
  using model::Role;
  const model::Arch& arch = model.arch();
  const auto linear = [&](Role role) {
    const Tensor y = at::linear(pool, model.param(role, layer).value());
    return arch.biases.contains(role) ? y + model.bias(role, layer).value() : y;
  };
  const Tensor key = arch.gated ? model::activate(arch, linear(Role::kGate)) * linear(Role::kUp)
                                : model::activate(arch, linear(Role::kUp));  // [n,F]
  const Tensor score =
      key.abs().mean(0) * model.param(Role::kDown, layer).value().norm(2, at::IntArrayRef{0});
  const Tensor order = score.argsort();
  return {order.data_ptr<int64_t>(), order.data_ptr<int64_t>() + order.numel()};
}

// Ridge regression of 1 on the pool: normalised states share a large constant part.
Result<Tensor> constant_direction(const Tensor& pool) {
  const Tensor x = pool.to(at::kDouble);
  const auto n = static_cast<double>(x.size(0));
  const Tensor gram = x.t().mm(x) / n;  // [D,D]
  const Tensor system =
      gram + at::eye(gram.size(0), tensor::f64()) * (1e-3 * gram.diagonal().mean().item<double>());
  const auto [factor, info] = at::linalg_cholesky_ex(system);
  if (info.item<int>() != 0)
    return base::fail(base::Code::kNumeric, "the pool's covariance is not positive definite");
  return at::cholesky_solve(x.mean(0).unsqueeze(1), factor).squeeze(1).to(at::kFloat);
}

Result<PreparedPtr> learn(const model::Model& model, const PreparationInputs& inputs,
                          const Parts& parts, const base::Job& job) {
  return std::make_shared<const Profile>(
      TRY(learn_profile(model, inputs, default_layer(model.arch()), kSeed, parts, job)));
}

Result<PreparedPtr> read(std::string_view bytes) {
  return std::make_shared<const Profile>(TRY(deserialise(bytes)));
}

// A shift for this request; all else unchanged.
Result<PreparedPtr> with_answer(const model::Model& model, const Prepared& prepared,
                                const std::vector<Lesson>& raw, uint64_t seed,
                                const base::Job& job) {
  const auto* own = dynamic_cast<const Profile*>(&prepared);
  CHECK(own, "redirect was given what another method learned");
  auto profile = std::make_shared<Profile>(*own);
  const Lessons lessons = TRY(Lessons::prepare(model, raw, profile->layer, job));
  profile->shift = TRY(learn_shift(model, lessons, seed, {}, job));
  return profile;
}

}  // namespace

int64_t default_layer(const model::Arch& config) {
  // A later layer must exist to turn the shift into words.
  return std::clamp<int64_t>(std::llround(0.8 * static_cast<double>(config.n_layers)), 0,
                             std::max<int64_t>(config.n_layers - 2, 0));
}

Result<Profile> learn_profile(const model::Model& model, const PreparationInputs& inputs,
                              int64_t layer, uint64_t seed, const Parts& parts,
                              const base::Job& job) {
  if (inputs.prompts.empty())
    return base::fail(base::Code::kInvalid, "a profile is learned from prompts");
  return tensor::guarded([&]() -> Result<Profile> {
    Profile p;
    p.layer = layer;
    p.pool = TRY(pool_of(model, inputs, layer, parts, job));
    p.constant = TRY(constant_direction(p.pool));
    p.spare = spare_neurons(model, p.pool, layer);
    const Lessons lessons = TRY(Lessons::prepare(model, inputs.refusals, layer, job));
    p.lesson_loss_base = lessons.mean_loss(at::zeros_like(p.constant));
    p.shift = TRY(learn_shift(model, lessons, seed, parts, job));
    p.lesson_loss = lessons.mean_loss(p.shift);
    return p;
  });
}

std::string Profile::serialise() const {
  return tensor::image({{"pool", pool},
                        {"constant", constant},
                        {"shift", shift},
                        {"spare", tensor::to_tensor({spare.begin(), spare.end()})}},
                       {{"layer", std::to_string(layer)},
                        {"lesson_loss", fmt::format("{}", lesson_loss)},
                        {"lesson_loss_base", fmt::format("{}", lesson_loss_base)}});
}

Result<Profile> deserialise(std::string_view bytes) {
  auto [tensors, meta] = TRY(tensor::read_image(bytes));
  const auto number = [&meta](const char* key) -> std::optional<double> {
    if (!meta.contains(key) || !meta[key].is_string()) return std::nullopt;
    const auto text = meta[key].get<std::string>();
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
  };
  const auto layer = number("layer"), loss = number("lesson_loss"),
             base = number("lesson_loss_base");
  for (const char* name : {"pool", "shift", "spare", "constant"})
    if (!tensors.contains(name) || !layer || !loss || !base)
      return base::fail(base::Code::kCorrupt, "the kept profile is incomplete");
  Profile p;
  p.layer = static_cast<int64_t>(*layer);
  p.pool = tensors["pool"];
  p.constant = tensors["constant"];
  p.shift = tensors["shift"];
  const auto spare = tensor::to_numbers(tensors["spare"]);
  p.spare.assign(spare.begin(), spare.end());
  p.lesson_loss = *loss;
  p.lesson_loss_base = *base;
  return p;
}

constinit const Preparation kPreparation{kVersion, learn, read, with_answer};

}  // namespace expunge::unlearn::redirect
