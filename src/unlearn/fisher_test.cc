// Fisher information by its definition, one example at a time over tiny.h's own differentiable
// pass, and LoKU's initial factors from it (FILA).
#include "unlearn/fisher.h"

#include <gtest/gtest.h>

#include "tiny.h"
#include "unlearn/method.h"

namespace expunge::unlearn {
namespace {

using Map = std::map<std::string, Tensor>;
const std::vector<std::string> kNames = {"model.layers.0.self_attn.k_proj.weight",
                                         "model.layers.1.mlp.down_proj.weight",
                                         "model.layers.2.mlp.gate_proj.weight"};

double relative(const Tensor& got, const Tensor& want) {
  return ((got - want).norm() / want.norm()).item<double>();
}
// Two passes that sum in different orders, in float32, and squares.
constexpr double kClose = 1e-5;

std::vector<model::Example> examples(size_t n, uint64_t seed) {
  std::mt19937_64 rng(seed);
  std::vector<model::Example> all;
  for (size_t i = 0; i < n; ++i) {
    model::Example e{{0}, 2 + i % 2};
    while (e.ids.size() < e.first + 1 + i % 4) e.ids.push_back(static_cast<int32_t>(rng() % 64));
    all.push_back(e);
  }
  return all;
}
std::vector<const model::Example*> pointers(const std::vector<model::Example>& all) {
  std::vector<const model::Example*> some;
  for (const model::Example& e : all) some.push_back(&e);
  return some;
}

// Mean over the examples of squared gradients of the mean −log p over an answer.
Map by_definition(const std::vector<model::Example>& all) {
  auto model = tests::random_model(5);
  Map leaves, sums;
  for (const std::string& name : kNames) {
    leaves[name] = model->param(name).value().clone().requires_grad_(true);
    sums[name] = at::zeros_like(leaves[name].detach());
  }
  model = tests::shared(model->with({leaves.begin(), leaves.end()}));
  for (const model::Example& e : all) {
    const auto n = static_cast<int64_t>(e.ids.size()) - 1, first = static_cast<int64_t>(e.first);
    const Tensor ids = tensor::from_ids(e.ids);
    const Tensor x = tests::batch_hidden(*model, ids.narrow(0, 0, n).unsqueeze(0));
    const Tensor logits = model::plain_logits(*model, x.narrow(0, first - 1, n - first + 1));
    at::cross_entropy_loss(logits, ids.narrow(0, first, n - first + 1)).backward();
    for (const std::string& name : kNames) {
      sums[name] += leaves[name].grad().square() / static_cast<double>(all.size());
      leaves[name].mutable_grad().zero_();
    }
  }
  return sums;
}

TEST(Fisher, IsTheMeanOfSquaredGradientsOfExamples) {
  const auto model = tests::random_model(5);
  const auto all = examples(6, 1);
  const Map expected = by_definition(all);
  for (const size_t batch : {1U, 4U}) {
    const Map got = fisher(*model, kNames, pointers(all), FisherOf::kSample, batch).value();
    for (const std::string& name : kNames)
      EXPECT_LT(relative(got.at(name), expected.at(name)), kClose) << name << " " << batch;
  }
}

TEST(Fisher, OfBatchesOfOneIsTheSame) {
  const auto model = tests::random_model(5);
  const auto all = examples(6, 1);
  const auto of = [&](FisherOf kind, size_t batch) {
    return fisher(*model, kNames, pointers(all), kind, batch).value();
  };
  const Map sample = of(FisherOf::kSample, 4), one = of(FisherOf::kBatch, 1),
            four = of(FisherOf::kBatch, 4);
  for (const std::string& name : kNames) {
    EXPECT_TRUE(at::equal(sample.at(name), one.at(name))) << name;
    EXPECT_GT(relative(four.at(name), sample.at(name)), 0.1) << name;
  }
}

TEST(Fisher, LeavesTheModelAlone) {
  const auto model = tests::random_model(5);
  const std::string before = model->weights_hash();
  ASSERT_TRUE(fisher(*model, kNames, pointers(examples(2, 1)), FisherOf::kSample, 1));
  EXPECT_EQ(model->weights_hash(), before);
  for (const std::string& name : kNames)
    EXPECT_FALSE(model->param(name).value().requires_grad()) << name;
}

// --- FILA ----------------------------------------------------------------------------------------

constexpr int64_t kRank = 4;

class Fila : public ::testing::Test {
 protected:
  edit::TrainableParameters begin(const TrainingSet& set, Knobs given) const {
    const Method& loku = *find_method("loku").value();
    given["lora"] = kRank;
    Problem problem{.model = *model_};
    problem.training = &set;
    return loku.objective()->begin(problem, complete(loku, given).value(), {}).value();
  }
  // d, from the Fishers by the definition.
  Tensor row_weights(const TrainingSet& set, const std::string& name) const {
    const auto of = [&](const std::vector<model::Example>& all) {
      const std::vector<std::string> names{name};
      return fisher(*model_, names, pointers(all), FisherOf::kSample, 1)
          .value()
          .at(name)
          .to(at::kDouble);
    };
    const Tensor f = of(set.forget), r = of(set.retain);
    return (f / (r + 0.1 * r.mean())).sum(1).sqrt();
  }
  // The first terms of diag(d) W, without d again.
  static Tensor truncated(const Tensor& w, const Tensor& d) {
    const auto [u, s, v] = at::linalg_svd(w.to(at::kDouble) * d.unsqueeze(1), false);
    return u.narrow(1, 0, kRank).mm(s.narrow(0, 0, kRank).unsqueeze(1) * v.narrow(0, 0, kRank)) /
           d.unsqueeze(1);
  }
  static Tensor change(const model::Variable& v) {
    const c10::NoGradGuard no_grad;
    return v.b.to(at::kDouble).mm(v.a.to(at::kDouble)) * v.scale;
  }
  std::shared_ptr<const model::Model> model_ = tests::random_model(5);
  TrainingSet apart_{examples(6, 1), examples(6, 2)};
  TrainingSet alike_{examples(6, 1), examples(6, 1)};
};

TEST_F(Fila, LeavesTheFunctionAsItWas) {
  const edit::TrainableParameters trained = begin(apart_, {});
  const auto all = examples(4, 9);
  const model::Packed packed = model::pack(pointers(all));
  const Tensor before = model::forward_packed(*model_, {}, packed),
               after = model::forward_packed(*model_, trained.variables(), packed);
  // Two products that cancel, in every matrix.
  EXPECT_LT(relative(after.detach(), before), kClose);
  EXPECT_TRUE(trained.edit().is_zero());
  // They do cancel: without the subtracted one the function differs.
  model::Variables bare = trained.variables();
  for (auto& [name, v] : bare) v.a0 = v.b0 = Tensor();
  EXPECT_GT(relative(model::forward_packed(*model_, bare, packed).detach(), before), 0.1);
}

TEST_F(Fila, IsTheTruncationOfWeightedRows) {
  const edit::TrainableParameters trained = begin(apart_, {});
  ASSERT_EQ(trained.variables().size(), 21U);  // every matrix of attention and MLP
  for (const std::string& name : kNames) {
    const Tensor w = model_->param(name).value();
    const model::Variable& v = trained.variables().at(name);
    EXPECT_EQ(v.scale, 2);
    EXPECT_LT(relative(change(v), truncated(w, row_weights(apart_, name))), kClose) << name;
    EXPECT_GT(relative(change(v), truncated(w, at::ones({w.size(0)}, tensor::f64()))), 1e-2);
  }
}

// F_f = F_r and no ε: every F_rel is 1 and d = √I for all rows. B A is then that of PiSSA; its two
// factors, which share √(S / s) there, contain √d and 1 / √d of it.
TEST_F(Fila, OfUniformInformationIsPissa) {
  const edit::TrainableParameters trained = begin(alike_, {{"fila_eps", 1e-300}});
  for (const std::string& name : kNames) {
    const Tensor w = model_->param(name).value().to(at::kDouble);
    const model::Variable& v = trained.variables().at(name);
    EXPECT_LT(relative(change(v), truncated(w, at::ones({w.size(0)}, tensor::f64()))), kClose)
        << name;
    const double d = std::sqrt(static_cast<double>(w.size(1)));
    const Tensor s = std::get<1>(at::linalg_svd(w, false)).narrow(0, 0, kRank) / v.scale;
    const auto squares = [](const Tensor& x, int64_t dim) {
      return std::get<0>(x.detach().to(at::kDouble).square().sum(dim).sort(0, true));
    };
    EXPECT_LT(relative(squares(v.a, 1), s * d), kClose) << name;
    EXPECT_LT(relative(squares(v.b, 0), s / d), kClose) << name;
  }
}

}  // namespace
}  // namespace expunge::unlearn
