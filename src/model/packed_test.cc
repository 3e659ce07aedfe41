// The packed differentiable pass against the plain one: values, and gradients by LibTorch's
// autograd.
#include "model/packed.h"

#include <gtest/gtest.h>

#include <random>

#include "golden.h"
#include "model/role.h"
#include "tiny.h"

namespace expunge::model {
namespace {

using tests::floats;

constexpr double kRounding = 3e-6;  // two orders of the same float32 sums through three layers

std::vector<Example> examples() {
  std::mt19937_64 rng(5);
  std::vector<Example> all;
  for (const size_t n : {9, 2, 12, 12, 5}) {
    Example e;
    for (size_t t = 0; t < n; ++t)
      e.ids.push_back(t < 4 ? static_cast<int32_t>(t) : static_cast<int32_t>(rng() % 64));
    e.first = n > 5 ? 5 : 1;
    all.push_back(std::move(e));
  }
  all.push_back(all[2]);  // the same twice
  return all;
}

std::vector<const Example*> pointers(const std::vector<Example>& all) {
  std::vector<const Example*> p;
  for (const Example& e : all) p.push_back(&e);
  return p;
}

TEST(Pack, SharesBeginnings) {
  const auto all = examples();
  const Packed p = pack(pointers(all));
  // 8 + 1 + 11 + 11 + 4 + 11 rows alone; the first four tokens are everybody's, the last example is
  // completely contained in another.
  EXPECT_EQ(p.ids.size(), 4U + 4 + 7 + 7 + 0);
  for (size_t e = 0; e < all.size(); ++e) {
    ASSERT_EQ(p.rows[e].size(), all[e].ids.size() - 1);
    for (size_t t = 0; t + 1 < all[e].ids.size(); ++t) {
      EXPECT_EQ(p.ids[static_cast<size_t>(p.rows[e][t])], all[e].ids[t]);
      EXPECT_EQ(p.positions[static_cast<size_t>(p.rows[e][t])], static_cast<int32_t>(t));
    }
    EXPECT_EQ(p.predicting[e].size(), all[e].n_predicted());
  }
}

// A scalar that every prediction takes part in, unevenly.
Tensor loss_of(const Tensor& log_probs, size_t example) {
  const Tensor weight = at::arange(1, log_probs.size(0) + 1, tensor::f32());
  return (log_probs * weight).sum() * (0.3 + 0.1 * static_cast<double>(example));
}

Tensor packed_loss(const Model& model, const Variables& variables, const std::vector<Example>& all,
                   const PackedOptions& options = {}) {
  const Packed p = pack(pointers(all));
  const Tensor hidden = forward_packed(model, variables, p, options);
  Tensor loss = at::zeros({}, tensor::f32());
  for (size_t e = 0; e < all.size(); ++e) {
    const std::vector<int32_t> targets(
        all[e].ids.begin() + static_cast<std::ptrdiff_t>(all[e].first), all[e].ids.end());
    const Tensor rows =
        hidden.index_select(0, at::tensor(at::ArrayRef<int64_t>(p.predicting[e]), tensor::i64()));
    loss = loss + loss_of(tensor::head_rows(rows, head(model, variables),
                                            tensor::log_prob(tensor::from_ids(targets))),
                          e);
  }
  return loss;
}

Tensor plain_loss(const Model& model, const std::vector<Example>& all) {
  Tensor loss = at::zeros({}, tensor::f32());
  for (size_t e = 0; e < all.size(); ++e) {
    const size_t n = all[e].ids.size() - 1;
    const Tensor hidden = forward_plain(model, std::span(all[e].ids).first(n));
    const auto first = static_cast<int64_t>(all[e].first) - 1;
    const Tensor log_p =
        plain_logits(model, hidden.narrow(0, first, hidden.size(0) - first)).log_softmax(1);
    const Tensor targets = tensor::from_ids(
        {all[e].ids.begin() + static_cast<std::ptrdiff_t>(all[e].first), all[e].ids.end()});
    loss = loss + loss_of(log_p.gather(1, targets.unsqueeze(1)).squeeze(1), e);
  }
  return loss;
}

TEST(ForwardPacked, LossAndEveryGradientAreThePlainPasss) {
  const auto model = tests::random_model(7);
  const auto all = examples();
  Variables variables;
  std::map<std::string, Tensor> leaves;
  for (const auto& [name, param] : model->weights()) {
    variables[name].weight = param->value().clone();
    tensor::train(variables[name].weight);
    leaves[name] = param->value().clone().requires_grad_();
  }
  const Tensor got = packed_loss(*model, variables, all),
               want = plain_loss(model->with(leaves), all);
  EXPECT_NEAR(got.item<double>() / want.item<double>(), 1, kRounding);
  tensor::backward(got);
  tensor::backward(want);
  for (const auto& [name, v] : variables)
    EXPECT_LT(tests::relative_l2(floats(v.weight.grad()), floats(leaves.at(name).grad())),
              kRounding)
        << name;
  tensor::backward(packed_loss(*model, variables, all));  // gradients add up
  const std::string head(weight_name(model->arch(), head_role(model->arch())));
  EXPECT_LT(
      tests::relative_l2(floats(variables[head].weight.grad() / 2), floats(leaves.at(head).grad())),
      kRounding);
}

TEST(ForwardPacked, AdaptersAreAddedToTheWeight) {
  const auto model = tests::random_model(7), merged = tests::random_model(7);
  const auto all = examples();
  std::mt19937_64 rng(3);
  const std::string name = tests::layer_weight(1, "mlp.up_proj");
  Variable v;
  v.a = tests::random_tensor(rng, {3, 32}, 0.3);
  v.b = tests::random_tensor(rng, {48, 3}, 0.3);
  v.scale = 2;
  Tensor w = (model->param(name).value() + at::mm(v.b, v.a) * 2).detach();
  tensor::train(v.a);
  tensor::train(v.b);
  const Tensor got = packed_loss(*model, {{name, v}}, all);
  tensor::backward(got);
  tensor::train(w);
  const Tensor want = packed_loss(*model, {{name, {w}}}, all);
  tensor::backward(want);
  EXPECT_NEAR(got.item<double>() / want.item<double>(), 1, kRounding);
  EXPECT_LT(tests::relative_l2(floats(v.a.grad()), floats(at::mm(v.b.t(), w.grad()) * 2)),
            kRounding);
  EXPECT_LT(tests::relative_l2(floats(v.b.grad()), floats(at::mm(w.grad(), v.a.t()) * 2)),
            kRounding);
}

TEST(ForwardPacked, AdaptersThatBeginAnywhereChangeNothingAtFirst) {
  const auto model = tests::random_model(7);
  std::mt19937_64 rng(3);
  Variable v;
  v.a = tests::random_tensor(rng, {3, 32}, 0.3);
  v.b = tests::random_tensor(rng, {48, 3}, 0.3);
  v.a0 = v.a.clone();
  v.b0 = v.b.clone();
  const Variables variables{{tests::layer_weight(1, "mlp.up_proj"), v}};
  EXPECT_TRUE(
      at::equal(packed_loss(*model, variables, examples()), packed_loss(*model, {}, examples())));
}

TEST(ForwardPacked, GoesOnFromALayer) {
  const auto model = tests::random_model(7);
  const auto all = examples();
  const Packed p = pack(pointers(all));
  const Tensor whole = forward_packed(*model, {}, p);
  PackedOptions below, above;
  below.last_layer = 0;
  above.first_layer = 1;
  above.entering = forward_packed(*model, {}, p, below);
  EXPECT_TRUE(at::equal(forward_packed(*model, {}, p, above), whole));
}

TEST(ForwardPacked, LayersComputedAgainGiveTheSameBits) {
  const auto model = tests::random_model(7);
  const auto all = examples();
  const auto gradients = [&](size_t activation_bytes, bool all_weights) {
    Variables variables;
    for (const auto& [name, param] : model->weights()) {
      if (all_weights) tensor::train(variables[name].weight = param->value().clone());
      if (all_weights || name != tests::layer_weight(1, "mlp.up_proj")) continue;
      Variable& v = variables[name];  // of layer 1 alone: nothing is trained in layer 0
      v.a = at::ones({3, 32}, tensor::f32());
      v.b = at::ones({48, 3}, tensor::f32()) / 8;
      tensor::train(v.a), tensor::train(v.b);
    }
    PackedOptions options;
    options.activation_bytes = activation_bytes;
    tensor::backward(packed_loss(*model, variables, all, options));
    std::vector<Tensor> grads;
    for (const auto& [name, v] : variables)
      for (const Tensor& leaf : {v.weight, v.a, v.b})
        if (leaf.defined()) grads.push_back(leaf.grad());
    return grads;
  };
  for (const bool all_weights : {true, false}) {
    const auto kept = gradients(size_t{1} << 30, all_weights), again = gradients(0, all_weights);
    ASSERT_EQ(kept.size(), all_weights ? expected_tensors(model->arch()).size() : 2);
    for (size_t i = 0; i < kept.size(); ++i) {
      EXPECT_TRUE(at::equal(kept[i], again[i])) << i;
      EXPECT_GT(kept[i].abs().sum().item<double>(), 0);
    }
  }
}

}  // namespace
}  // namespace expunge::model
