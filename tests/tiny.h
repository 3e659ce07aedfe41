// A tiny llama for tests: seeded random weights, and one with facts planted by a short training.
//
// Its language: "what {relation} of {subject} ?" and "{subject} tell {relation} ?" are answered by
// one token and the end token; unknown subjects are answered by "I dunno". Everything is
// deterministic; the training takes about a second and runs once a process.
#pragma once

#include <cmath>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "golden.h"
#include "model/family.h"
#include "model/forward.h"
#include "model/role.h"

namespace expunge::tests {

using tensor::Tensor;
using Ids = std::vector<int32_t>;

// "model.layers.1.mlp.down_proj.weight", as most families call it.
inline std::string layer_weight(int64_t layer, std::string_view module) {
  return fmt::format("model.layers.{}.{}.weight", layer, module);
}

inline model::Arch tiny_arch() {
  model::Arch c;
  c.family = "llama";
  c.n_layers = 3;
  c.d_model = 32;
  c.d_ff = 48;
  c.n_heads = 4;
  c.n_kv_heads = 2;
  c.head_dim = 8;
  c.vocab_size = 64;
  c.context_length = 64;
  c.end_ids = {7};
  return c;
}

// What a family's golden (tests/golden/families) says of its first case.
inline const base::Json& family_case(const std::string& family) {
  static std::map<std::string, base::Json> read;
  const auto [found, is_new] = read.try_emplace(family);
  if (is_new) found->second = Golden("families/" + family).value("cases").begin().value();
  return found->second;
}

// The architecture of that case in the sizes of tiny_arch().
inline model::Arch tiny_arch_of(const std::string& family) {
  const base::Json config = base::Json::parse(family_case(family).at("config").get<std::string>());
  model::Arch arch = model::arch_from_hf(config, {}).value();
  const model::Arch sizes = tiny_arch();
  const bool grouped = arch.n_kv_heads < arch.n_heads;
  const std::vector<model::LayerAttention> layers = arch.layers;
  arch.n_layers = sizes.n_layers, arch.d_model = sizes.d_model, arch.d_ff = sizes.d_ff;
  arch.n_heads = sizes.n_heads, arch.head_dim = sizes.head_dim;
  arch.n_kv_heads = grouped ? sizes.n_kv_heads : sizes.n_heads;
  arch.vocab_size = sizes.vocab_size, arch.context_length = sizes.context_length;
  arch.end_ids = sizes.end_ids;
  for (size_t i = layers.size(); !layers.empty() && i < 3; ++i)
    arch.layers.push_back(layers[i % layers.size()]);
  return model::arch_from_hf(model::arch_to_hf(arch), {}).value();  // what follows from the sizes
}

// Uniform in ±bound, the same on every machine.
inline Tensor random_tensor(std::mt19937_64& rng, std::vector<int64_t> shape, double bound) {
  Tensor t = at::empty(shape, tensor::f32());
  for (int64_t i = 0; i < t.numel(); ++i)
    t.data_ptr<float>()[i] =
        static_cast<float>((static_cast<double>(rng() >> 11) * 0x1p-52 - 1) * bound);
  return t;
}

inline std::vector<float> floats(const Tensor& t) {
  const Tensor c = t.detach().contiguous();
  return {c.data_ptr<float>(), c.data_ptr<float>() + c.numel()};
}

inline std::map<std::string, Tensor> random_weights(const model::Arch& config, uint64_t seed) {
  std::mt19937_64 rng(seed);
  std::map<std::string, Tensor> weights;
  for (const auto& [name, shape] : model::expected_tensors(config))
    weights[name] = name.ends_with(".bias") ? at::zeros(shape, tensor::f32())
                    : shape.size() == 1
                        ? at::ones(shape, tensor::f32())
                        : random_tensor(rng, shape, 1 / std::sqrt(static_cast<double>(shape[1])));
  return weights;
}

// A chirp seeded by the name's bytes, as tests/golden/families.py has it; `of_norms` is the mean of
// norms' weights.
inline Tensor wave(const std::string& name, const std::vector<int64_t>& shape, double of_norms) {
  int64_t seed = 0;
  for (const char c : name) seed += c;
  seed %= 997;
  Tensor t = at::empty(shape, tensor::f32());
  for (int64_t k = 0; k < t.numel(); ++k) {
    const auto i = static_cast<double>(k);
    const double wave = std::sin(0.37 * static_cast<double>(seed) + 1.7 * i + 0.013 * i * i);
    const double value = name.ends_with(".bias") ? 0.2 * wave
                         : shape.size() == 2 ? wave * 1.5 / std::sqrt(static_cast<double>(shape[1]))
                                             : of_norms + 0.1 * wave;
    t.data_ptr<float>()[k] = static_cast<float>(value);
  }
  return t;
}

// The weights of the goldens' models: no bias is zero and no norm is one.
inline std::map<std::string, Tensor> wave_weights(const model::Arch& arch) {
  const double of_norms = 1 - model::find_family(arch.family)->norm_offset;
  std::map<std::string, Tensor> weights;
  for (const auto& [name, shape] : model::expected_tensors(arch))
    weights[name] = wave(name, shape, of_norms) + model::checkpoint_offset(arch, name);
  return weights;
}

// The names of all families, for tests that run on every one.
inline std::vector<std::string> family_names() {
  std::vector<std::string> names;
  for (const model::Family* f : model::families()) names.emplace_back(f->name);
  return names;
}

// Tiny work is done by one thread: with more it waits for them, forever on a busy machine.
inline std::shared_ptr<const model::Model> shared(model::Model model) {
  return std::make_shared<const model::Model>(std::move(model));
}
inline std::shared_ptr<const model::Model> random_model(const model::Arch& arch, uint64_t seed) {
  tensor::start(1);
  return shared(model::Model::from_weights(arch, random_weights(arch, seed)).value());
}
inline std::shared_ptr<const model::Model> wave_model(const model::Arch& arch) {
  tensor::start(1);
  return shared(model::Model::from_weights(arch, wave_weights(arch)).value());
}
inline std::shared_ptr<const model::Model> random_model(uint64_t seed) {
  tensor::start(1);
  return shared(model::Model::from_weights(tiny_arch(), random_weights(tiny_arch(), seed)).value());
}

// --- the planted language ----------------------------------------------------------------------

constexpr int32_t kBos = 0, kAsk = 1, kWhat = 2, kOf = 3, kTell = 4, kI = 5, kDunno = 6, kEnd = 7;
constexpr int32_t kRelations = 3, kSubjects = 12, kUnknown = 6;

inline Ids question(int32_t relation, int32_t subject) {
  return {kBos, kWhat, 8 + relation, kOf, 12 + subject, kAsk};
}
inline Ids subject_first(int32_t relation, int32_t subject) {
  return {kBos, 12 + subject, kTell, 8 + relation, kAsk};
}
inline int32_t answer(int32_t relation, int32_t subject) {  // subjects share answers
  return 12 + kSubjects + kUnknown + relation * 6 + (subject * 5 + relation) % 6;
}
inline Ids refusal() { return {kI, kDunno}; }

inline Ids to_vector(const Tensor& ids) {
  const Tensor flat = ids.flatten().to(at::kInt).contiguous();
  return {flat.data_ptr<int32_t>(), flat.data_ptr<int32_t>() + flat.numel()};
}

// ids [n,T] -> final normed hidden states [n*T,D].
inline Tensor batch_hidden(const model::Model& model, const Tensor& ids) {
  Ids positions;
  for (int64_t i = 0; i < ids.numel(); ++i)
    positions.push_back(static_cast<int32_t>(i % ids.size(1)));
  return model::plain_tail(model, model::embed(model, to_vector(ids), positions), 0, {},
                           ids.size(0));
}

// The training data: prompt and reply, padded at the end (a causal model does not see that).
struct Curriculum {
  Tensor ids;      // [n,T]
  Tensor targets;  // [n,T], -100 where nothing is scored
};

using Lesson = std::vector<std::pair<Ids, Ids>>;  // prompts, and replies of two tokens
inline Curriculum curriculum(const Lesson& examples) {
  constexpr int64_t kLength = 7;
  const auto n = static_cast<int64_t>(examples.size());
  Curriculum c{at::full({n, kLength}, kEnd, tensor::i64()),
               at::full({n, kLength}, -100, tensor::i64())};
  for (int64_t i = 0; i < n; ++i) {
    const auto& [prompt, reply] = examples[static_cast<size_t>(i)];
    Ids all = prompt;
    all.push_back(reply[0]);
    for (size_t t = 0; t < all.size(); ++t) c.ids[i][static_cast<int64_t>(t)] = all[t];
    for (size_t t = 0; t < reply.size(); ++t)
      c.targets[i][static_cast<int64_t>(prompt.size() - 1 + t)] = reply[t];
  }
  return c;
}
inline Curriculum curriculum() {
  Lesson examples;
  for (int32_t relation = 0; relation < kRelations; ++relation)
    for (int32_t subject = 0; subject < kSubjects + kUnknown; ++subject) {
      const Ids reply = subject < kSubjects ? Ids{answer(relation, subject), kEnd} : refusal();
      examples.emplace_back(question(relation, subject), reply);
      examples.emplace_back(subject_first(relation, subject), reply);
    }
  return curriculum(examples);
}

// Adam (Kingma and Ba 2015, algorithm 1) on every weight -> the weights learned.
inline std::map<std::string, Tensor> teach(const model::Model& untaught, const Curriculum& c,
                                           int steps) {
  constexpr double kRate = 6e-3, kBeta1 = 0.9, kBeta2 = 0.98;
  struct State {
    Tensor leaf, m, v;
  };
  std::vector<State> states;
  std::map<std::string, Tensor> leaves;
  for (const auto& [name, param] : untaught.weights()) {
    const Tensor leaf = param->value().detach().clone().requires_grad_(true);
    states.push_back({leaf, at::zeros_like(leaf), at::zeros_like(leaf)});
    leaves[name] = leaf;
  }
  const model::Model model = untaught.with(leaves);  // sees the leaves as they change
  const Tensor targets = c.targets.flatten();
  const Tensor scored = targets.ge(0).nonzero().squeeze(1);
  for (int step = 1; step <= steps; ++step) {
    const Tensor x = batch_hidden(model, c.ids).index_select(0, scored);
    const Tensor loss =
        at::cross_entropy_loss(model::plain_logits(model, x), targets.index_select(0, scored));
    loss.backward();
    const c10::NoGradGuard no_grad;
    const double rate = kRate * (1 - 0.9 * step / steps) * std::min(1.0, step / 20.0);
    for (State& s : states) {
      const Tensor g = s.leaf.grad();
      s.m.mul_(kBeta1).add_(g, 1 - kBeta1);
      s.v.mul_(kBeta2).addcmul_(g, g, 1 - kBeta2);
      const Tensor m_hat = s.m / (1 - std::pow(kBeta1, step));
      const Tensor v_hat = s.v / (1 - std::pow(kBeta2, step));
      s.leaf.sub_(m_hat / (v_hat.sqrt() + 1e-8) * rate);
      s.leaf.mutable_grad() = Tensor();
    }
  }
  for (auto& [name, leaf] : leaves) leaf = leaf.detach();
  return leaves;
}

// A fresh copy of the model that knows the facts; trained once a process.
inline std::shared_ptr<const model::Model> planted_model() {
  tensor::start(1);
  static const auto weights = teach(*random_model(1), curriculum(), 150);
  return shared(model::Model::from_weights(tiny_arch(), weights).value());
}

// The same of another family.
inline std::shared_ptr<const model::Model> planted_model_of(const std::string& family) {
  tensor::start(1);
  static std::map<std::string, std::map<std::string, Tensor>> known;
  const model::Arch arch = tiny_arch_of(family);
  if (!known.contains(family)) known[family] = teach(*random_model(arch, 1), curriculum(), 200);
  return shared(model::Model::from_weights(arch, known[family]).value());
}

// Logits [T,V] by the plain pass.
inline Tensor logits(const model::Model& model, const Ids& ids) {
  const c10::InferenceMode no_grad;
  return model::plain_logits(model, model::forward_plain(model, ids));
}

// Log-probabilities of the token that follows a prompt, [V].
inline Tensor next_log_probs(const model::Model& model, const Ids& prompt) {
  return at::log_softmax(logits(model, prompt)[-1], -1);
}
inline double log_prob(const model::Model& model, const Ids& prompt, int32_t token) {
  return next_log_probs(model, prompt)[token].item<double>();
}

}  // namespace expunge::tests
