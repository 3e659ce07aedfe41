#include "unlearn/fisher.h"

#include "tensor/kernels/squares.h"
#include "tensor/threads.h"
#include "unlearn/batch.h"

namespace expunge::unlearn {

base::Result<double> each_gradient(
    const model::Model& model, std::span<const std::string> names,
    std::span<const model::Example* const> examples, FisherOf of, size_t batch,
    const base::Job& job,
    const std::function<void(const std::string& name, const Tensor& gradient)>& use) {
  CHECK(!examples.empty() && batch > 0);
  const tensor::SerialLibtorch serial;  // next to the kernels' threads
  model::Variables variables;
  for (const std::string& name : names) {
    model::Variable& v = variables[name];
    v.weight = model.param(name).value().detach();  // itself, not a copy: it is not changed
    v.weight.requires_grad_();
    v.use = [&use, &name](const Tensor& gradient) { use(name, gradient); };
  }
  Batches batches(model, variables, -1);
  const size_t each = of == FisherOf::kSample ? 1 : batch;
  double n = 0;
  for (size_t at = 0; at < examples.size(); at += each, ++n) {
    TRY(job.check());
    const auto some = examples.subspan(at, std::min(each, examples.size() - at));
    const BatchExamples own{{some.begin(), some.end()}, {}, {}};
    MicroBatch micro_batch(batches, own, count({own}));
    tensor::backward(cross_entropy(micro_batch.forget()));
  }
  return n;
}

base::Result<std::map<std::string, Tensor>> fisher(const model::Model& model,
                                                   std::span<const std::string> names,
                                                   std::span<const model::Example* const> examples,
                                                   FisherOf of, size_t batch,
                                                   const base::Job& job) {
  std::map<std::string, Tensor> sums;
  for (const std::string& name : names) sums[name] = at::zeros_like(model.param(name).value());
  const double n = TRY(each_gradient(
      model, names, examples, of, batch, job, [&](const std::string& name, const Tensor& g) {
        tensor::kernels::add_squares(g.data_ptr<float>(), g.numel(),
                                     sums.at(name).data_ptr<float>());
      }));
  for (auto& [name, sum] : sums) sum.div_(n);
  return sums;
}

}  // namespace expunge::unlearn
