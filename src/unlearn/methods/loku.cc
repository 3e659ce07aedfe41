// LoKU (arXiv 2408.06621): the inverted hinge loss on low-rank adapters that begin where the forget
// set's Fisher information is, relative to the retain set's (FILA, eq. 9 to 11):
//   d = sqrt(Σ over columns of F_f / (ε + F_r));  U S Vᵀ = the first r singular triplets of diag(d)
//   W; with S / s for S, s = α / r:  A = (V √S)ᵀ,  B = (U √S) / d.
// Uniform d is PiSSA. The published ε of 1e-5 lies far above squared gradients and makes F_r inert;
// ours is relative to F_r's mean. The published frozen weight W − s B A is not stored: the initial
// adapter's contribution is subtracted instead, so that the function is unchanged exactly.
#include <algorithm>
#include <cmath>

#include "tensor/kernels/squares.h"
#include "unlearn/fisher.h"
#include "unlearn/method.h"

namespace expunge::unlearn {
namespace {

using base::Result;

Tensor loss(Minibatch& batch) { return inverted_hinge(batch.forget) + retain_term(batch); }

// F_r + ε, in place.
void add_epsilon(Tensor& retain, const Knobs& knobs) {
  const double absolute = knobs.at("fila_eps");
  const double mean = retain.mean(at::kDouble).item<double>();
  retain.add_(std::max(absolute > 0 ? absolute : knobs.at("fila_relative_eps") * mean, 1e-37));
}

// d [O] of its square.
Tensor row_weights(const Tensor& square) {
  const Tensor d = square.sqrt();
  return d.clamp_min(1e-6 * d.max().item<double>() + 1e-300);  // no row is lost permanently
}

struct Factors {
  Tensor a, b;  // [R,I], [O,R]
};

// By the eigenvectors of the smaller Gram matrix, in float64: the first ones are all we need.
Factors factorise(const Tensor& weight, const Tensor& d, int64_t rank, double scale) {
  const Tensor w = weight.to(at::kDouble) * d.unsqueeze(1);  // [O,I]
  const bool wide = w.size(0) <= w.size(1);
  const auto [values, vectors] = at::linalg_eigh(wide ? w.mm(w.t()) : w.t().mm(w));
  const int64_t n = values.size(0);
  const Tensor sigma = values.narrow(0, n - rank, rank).clamp_min(1e-300).sqrt();  // [R]
  const Tensor first = vectors.narrow(1, n - rank, rank);
  const Tensor u = wide ? first : w.mm(first) / sigma;      // [O,R]
  const Tensor v = wide ? w.t().mm(first) / sigma : first;  // [I,R]
  const Tensor root = (sigma / scale).sqrt();
  return {(v * root).t().to(at::kFloat).contiguous(),
          (u * root / d.unsqueeze(1)).to(at::kFloat).contiguous()};
}

Result<edit::TrainableParameters> begin(const Problem& problem, const Knobs& knobs,
                                        const base::Job& job) {
  const TrainingSet& set = *problem.training;
  const model::Model& model = problem.model;
  const auto rank = static_cast<int64_t>(std::max(1.0, knobs.at("lora")));
  const double alpha = knobs.at("alpha") > 0 ? knobs.at("alpha") : 2 * static_cast<double>(rank);
  const auto limit = static_cast<size_t>(knobs.at("fila_examples"));
  const size_t n_examples = std::min({set.forget.size(), set.retain.size(), limit});
  const auto first = [n_examples](const std::vector<model::Example>& from) {
    std::vector<const model::Example*> some;
    for (size_t i = 0; i < n_examples; ++i) some.push_back(&from[i * from.size() / n_examples]);
    return some;
  };
  const auto forget = first(set.forget), retain = first(set.retain);
  const FisherOf of = knobs.at("fisher") == 0 ? FisherOf::kSample : FisherOf::kBatch;
  const auto batch = static_cast<size_t>(knobs.at("batch"));
  model::Variables variables;
  const std::vector<std::string> names = trained_matrices(model, knobs);
  // Some matrices at a time, since F_r is as large as they are. F_f is not kept: its share of d² is
  // added up, gradient after gradient.
  constexpr int64_t kGroupNumbers = int64_t{28} << 20;
  for (size_t at = 0; at < names.size();) {
    size_t end = at;
    for (int64_t numbers = 0; end < names.size() && numbers < kGroupNumbers; ++end)
      numbers += model.param(names[end]).numel();
    const std::span group = std::span(names).subspan(at, end - at);
    job.report("Fisher information", at, names.size());
    auto r = TRY(fisher(model, group, retain, of, batch, job));
    std::map<std::string, Tensor> squares;  // d² n
    for (auto& [name, f_r] : r) {
      add_epsilon(f_r, knobs);
      squares[name] = at::zeros({f_r.size(0)}, tensor::f64());
    }
    const double n = TRY(each_gradient(
        model, group, forget, of, batch, job, [&](const std::string& name, const Tensor& g) {
          tensor::kernels::add_square_ratios(g.data_ptr<float>(), r.at(name).data_ptr<float>(),
                                             g.size(0), g.size(1),
                                             squares.at(name).data_ptr<double>());
        }));
    const c10::NoGradGuard no_grad;
    for (const std::string& name : group) {
      TRY(job.check());
      const Tensor w = model.param(name).value();
      const int64_t own_rank = std::min({rank, w.size(0), w.size(1)});
      const double scale = alpha / static_cast<double>(rank);
      Factors factors = factorise(w, row_weights(squares.at(name) / n), own_rank, scale);
      model::Variable& v = variables[name];
      v.a = std::move(factors.a), v.b = std::move(factors.b), v.scale = scale;
    }
    at = end;
  }
  return edit::TrainableParameters::adapters(model, std::move(variables));
}

}  // namespace

extern const Method method_loku;
const Method method_loku{
    .name = "loku",
    .citation = "LoKU, arXiv 2408.06621, eq. 5 (IHL) and eq. 9 to 11 (FILA)",
    .knobs = training_knobs(
        with_retain_knobs(
            {{"fisher",
              0,
              0,
              1,
              "squared gradients a sample, or of batch means",
              {"sample", "batch"}},
             {"fila_eps", 0, 0, 1, "epsilon beside F_r; published 1e-5; 0: relative"},
             {"fila_relative_eps", 0.1, 1e-9, 1e9, "epsilon in multiples of F_r's mean"},
             {"fila_examples", 64, 1, 1e6, "examples of each kind that the Fisher is taken over"}}),
        {.lr = 2e-4, .epochs = 5, .lora = 16}),
    .how = Objective{.uses = {Uses::kRetain}, .loss = loss, .begin = begin},
};

}  // namespace expunge::unlearn
