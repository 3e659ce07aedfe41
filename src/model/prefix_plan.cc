#include "model/prefix_plan.h"

#include <algorithm>
#include <numeric>

namespace expunge::model {
namespace {

size_t in_common(std::span<const int32_t> a, std::span<const int32_t> b) {
  return static_cast<size_t>(std::ranges::mismatch(a, b).in1 - a.begin());
}

size_t common_beginning(std::span<const PlanInput> inputs) {
  if (inputs.size() < 2) return 0;
  size_t n = inputs[0].ids.size();
  for (const PlanInput& input : inputs)
    n = std::min({n, input.first_wanted, in_common(inputs[0].ids.first(n), input.ids)});
  return n;
}

}  // namespace

PrefixPlan plan_prefixes(std::span<const PlanInput> inputs, const PlanOptions& options) {
  for (const PlanInput& input : inputs) CHECK(input.first_wanted <= input.ids.size());
  PrefixPlan plan;
  plan.pass_rows = options.pass_rows;
  if (const size_t n = common_beginning(inputs); n >= options.worth_sharing) plan.n_begun = n;
  std::vector<size_t> order(inputs.size());
  std::iota(order.begin(), order.end(), size_t{0});
  const bool neighbours = options.sharing == Sharing::kNeighbours;
  if (neighbours)
    std::ranges::stable_sort(order, [&](size_t a, size_t b) {
      return std::ranges::lexicographical_compare(inputs[a].ids, inputs[b].ids);
    });
  const PrefixPlan::Step* before = nullptr;  // in the same pass
  for (const size_t i : order) {
    const auto ids = inputs[i].ids;
    size_t known = plan.n_begun;
    if (neighbours && before) known = in_common(inputs[before->input].ids, ids);
    const auto n_fresh = [&] { return ids.size() - known; };
    if (!before || (n_fresh() > 0 && plan.passes.back().n_rows + n_fresh() > plan.pass_rows)) {
      plan.passes.emplace_back();
      known = plan.n_begun;
      before = nullptr;
    }
    PrefixPlan::Pass& pass = plan.passes.back();
    PrefixPlan::Step step{i, known, {}};
    step.rows.reserve(ids.size() - plan.n_begun);
    if (known > plan.n_begun)
      step.rows.assign(before->rows.begin(),
                       before->rows.begin() + static_cast<std::ptrdiff_t>(known - plan.n_begun));
    for (size_t t = known; t < ids.size(); ++t)
      step.rows.push_back(static_cast<int64_t>(pass.n_rows++));
    pass.steps.push_back(std::move(step));
    before = &pass.steps.back();
  }
  return plan;
}

void PlannedRun::begin(const Hook& hook, int64_t last_layer) {
  for (size_t at = 0; at < plan_.n_begun;) {
    const size_t n = std::min(plan_.pass_rows, plan_.n_begun - at);
    const Chunk chunk{&beginning_, inputs_[0].ids.subspan(at, n), hidden_id_};
    runner_.forward({&chunk, 1}, hook, last_layer);
    at += n;
  }
}

Sequence PlannedRun::fork(const Sequence& before, const PrefixPlan::Step& step) const {
  const auto hidden = static_cast<size_t>(
      std::ranges::count(inputs_[step.input].ids.first(step.n_known), hidden_id_));
  return KvPool::fork(before, step.n_known - hidden, hidden);
}

Tensor PlannedRun::pass(const PrefixPlan::Pass& pass, const Hook& hook, int64_t last_layer) {
  std::vector<Sequence> sequences;
  sequences.reserve(pass.steps.size());  // chunks point into it
  std::vector<Chunk> chunks;
  for (const PrefixPlan::Step& step : pass.steps) {
    const bool continues = step.n_known > plan_.n_begun;
    sequences.push_back(fork(continues ? sequences.back() : beginning_, step));
    const auto fresh = inputs_[step.input].ids.subspan(step.n_known);
    if (fresh.empty()) continue;
    chunks.push_back({&sequences.back(), fresh, hidden_id_});
    runner_.append(chunks.back());
  }
  Tensor hidden;
  if (!chunks.empty()) hidden = runner_.compute(chunks, hook, last_layer);
  for (auto s = sequences.rbegin(); s != sequences.rend(); ++s)
    runner_.pool().truncate(*s, s->n_shared);
  return hidden;
}

}  // namespace expunge::model
