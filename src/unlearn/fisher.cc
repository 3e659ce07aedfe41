#include "unlearn/fisher.h"

#include "unlearn/batch.h"

namespace expunge::unlearn {

base::Result<std::map<std::string, Tensor>> fisher(const model::Model& model,
                                                   std::span<const std::string> names,
                                                   std::span<const model::Example* const> examples,
                                                   FisherOf of, size_t batch) {
  CHECK(!examples.empty() && batch > 0);
  // The weights themselves, not copies: they are not changed.
  model::Variables variables;
  std::map<std::string, Tensor> sums;
  for (const std::string& name : names) {
    Tensor& w = variables[name].weight;
    w = model.param(name).value.detach();
    tensor::train(w);
    sums[name] = at::zeros_like(w, w.options().requires_grad(false));
  }
  Batches batches(model, variables, -1);
  const size_t group = of == FisherOf::kSample ? 1 : batch;
  double n_groups = 0;
  for (size_t at = 0; at < examples.size(); at += group, ++n_groups) {
    TRY(base::check_cancel());
    Chosen chosen;
    for (size_t i = at; i < std::min(examples.size(), at + group); ++i)
      chosen.forget.push_back(examples[i]);
    const auto pieces = divide(chosen);
    const Counts counts = count(pieces);
    for (const Chosen& part : pieces) {
      Piece piece(batches, part, counts);
      tensor::backward(cross_entropy(piece.forget()));
    }
    const c10::NoGradGuard no_grad;
    for (const std::string& name : names) {
      Tensor& g = variables[name].weight.mutable_grad();
      sums[name].addcmul_(g, g);
      g.zero_();
    }
  }
  for (auto& [name, sum] : sums) sum.div_(n_groups);
  return sums;
}

}  // namespace expunge::unlearn
