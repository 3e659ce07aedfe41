#include "unlearn/capture.h"

#include "model/prefix_plan.h"
#include "model/scheduler.h"

namespace expunge::unlearn {
namespace {

// Called with the wanted rows of a value, in the order of the rows.
using Visit = std::function<void(model::Point point, int64_t layer, const Tensor& value,
                                 const Tensor& index)>;

size_t first_token(const TokenSpan& row) {
  const auto size = static_cast<int64_t>(row.ids.size());
  const int64_t position = row.position < 0 ? size + row.position : row.position;
  CHECK(position >= 0 && row.count >= 1 && position + row.count <= size);
  return static_cast<size_t>(position);
}

base::Status visit(const model::Model& model, std::span<const TokenSpan> rows, int64_t last_layer,
                   const base::Job& job, const Visit& on_value) {
  if (rows.empty()) return base::fail(base::Code::kInvalid, "no rows to capture");
  CHECK(last_layer >= 0 && last_layer < model.arch().n_layers, "layer {}", last_layer);
  std::vector<model::PlanInput> inputs;
  for (const TokenSpan& row : rows) {
    TRY(model::check_prompt(model.arch(), row.ids));
    inputs.push_back({row.ids, first_token(row)});
  }
  TRY(job.check());
  return tensor::guarded([&]() -> base::Status {
    model::Runner runner(model);
    const model::PrefixPlan plan = plan_prefixes(inputs);
    model::PlannedRun run(runner, inputs, plan);
    run.begin({}, last_layer);
    for (const model::PrefixPlan::Pass& pass : plan.passes) {
      TRY(job.check());
      std::vector<int64_t> wanted;
      for (const model::PrefixPlan::Step& step : pass.steps) {
        const auto first = step.rows.begin() + static_cast<std::ptrdiff_t>(
                                                   inputs[step.input].first_wanted - plan.n_begun);
        wanted.insert(wanted.end(), first, first + rows[step.input].count);
      }
      const Tensor index = at::tensor(at::ArrayRef<int64_t>(wanted), tensor::i64());
      run.pass(
          pass,
          [&](model::Point at, int64_t l, Tensor value) {
            on_value(at, l, value, index);
            return value;
          },
          last_layer);
    }
    return {};
  });
}

}  // namespace

base::Result<Tensor> capture(const model::Model& model, std::span<const TokenSpan> rows,
                             model::Point point, int64_t layer, const base::Job& job) {
  std::vector<Tensor> results;
  TRY(visit(model, rows, layer, job,
            [&](model::Point at, int64_t l, const Tensor& value, const Tensor& index) {
              if (at == point && l == layer) results.push_back(value.index_select(0, index));
            }));
  return tensor::guarded([&] { return at::cat(results); });  // [rows, width]
}

base::Result<std::vector<Tensor>> capture_layers(const model::Model& model,
                                                 std::span<const TokenSpan> rows,
                                                 model::Point point, const base::Job& job) {
  const int64_t n_layers = model.arch().n_layers;
  std::vector<std::vector<Tensor>> parts(static_cast<size_t>(n_layers));
  TRY(visit(model, rows, n_layers - 1, job,
            [&](model::Point at, int64_t l, const Tensor& value, const Tensor& index) {
              if (at == point)
                parts[static_cast<size_t>(l)].push_back(value.index_select(0, index));
            }));
  return tensor::guarded([&] {
    std::vector<Tensor> layers;
    for (const auto& part : parts) layers.push_back(at::cat(part));
    return layers;
  });
}

}  // namespace expunge::unlearn
