#include "unlearn/batch.h"

#include <algorithm>

#include "model/role.h"

namespace expunge::unlearn {
namespace {

using Examples = std::span<const model::Example* const>;

// States of frozen trunks beyond this are not stored: they are computed again each time.
constexpr size_t kTrunkBytes = size_t{1} << 30;
// Activations that a micro-batch stores for its backward pass; what exceeds this is computed again,
// which makes a step a third longer.
constexpr size_t kActivationBytes = size_t{640} << 20;

// The first layer with a variable; 0 if embeddings are trained, n_layers if only the final norm is.
int64_t first_trained_layer(const model::Model& model, const model::Variables& variables) {
  int64_t first = model.arch().n_layers;
  for (const auto& [name, v] : variables) {
    const auto id = model::identify(model.arch(), name);
    if (id && (id->role == model::Role::kFinalNorm || id->role == model::Role::kHead)) continue;
    first = std::min(first, id ? std::max<int64_t>(id->layer, 0) : 0);
  }
  return first;
}

Tensor index(const std::vector<int64_t>& rows) {
  return at::tensor(at::ArrayRef<int64_t>(rows), tensor::i64());
}

std::vector<int64_t> joined(const std::vector<std::vector<int64_t>>& parts) {
  std::vector<int64_t> all;
  for (const auto& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

size_t tokens(const model::Example& e) { return e.ids.size() - 1; }

Tensor targets_of(Examples examples) {
  std::vector<int32_t> ids;
  for (const model::Example* e : examples)
    ids.insert(ids.end(), e->ids.begin() + static_cast<std::ptrdiff_t>(e->first), e->ids.end());
  return tensor::from_ids(ids);
}

// One tensor of all examples' rows -> one an example.
void split(const Tensor& all, Examples examples, size_t (*rows)(const model::Example&),
           std::map<const model::Example*, Tensor>& into) {
  int64_t at = 0;
  for (const model::Example* e : examples) {
    const auto n = static_cast<int64_t>(rows(*e));
    into[e] = all.narrow(0, at, n).clone();
    at += n;
  }
}
size_t predicted(const model::Example& e) { return e.n_predicted(); }

}  // namespace

std::vector<BatchExamples> divide(const BatchExamples& step, size_t least) {
  std::vector<BatchExamples> micro_batches;
  const size_t most = (step.forget.size() + least - 1) / least;  // examples of a micro-batch
  size_t n_tokens = kMicroBatchTokens;
  for (size_t i = 0; i < step.forget.size(); ++i) {
    size_t more = 0;
    for (const auto* kind : {&step.forget, &step.retain, &step.refusal})
      if (i < kind->size()) more += tokens(*(*kind)[i]);
    if (n_tokens + more > kMicroBatchTokens || micro_batches.back().forget.size() == most)
      micro_batches.emplace_back(), n_tokens = 0;
    n_tokens += more;
    micro_batches.back().forget.push_back(step.forget[i]);
    if (i < step.retain.size()) micro_batches.back().retain.push_back(step.retain[i]);
    if (i < step.refusal.size()) micro_batches.back().refusal.push_back(step.refusal[i]);
  }
  return micro_batches;
}

Counts count(const std::vector<BatchExamples>& micro_batches) {
  Counts counts;
  const auto add = [](Count& count, Examples examples) {
    for (const model::Example* e : examples) {
      ++count.examples;
      count.rows += static_cast<int64_t>(e->n_predicted());
      count.tokens += static_cast<int64_t>(tokens(*e));
    }
  };
  for (const BatchExamples& micro_batch : micro_batches) {
    add(counts.forget, micro_batch.forget);
    add(counts.retain, micro_batch.retain);
    add(counts.refusal, micro_batch.refusal);
  }
  return counts;
}

Batches::Batches(const model::Model& model, const model::Variables& variables, int64_t last_layer)
    : model_(model),
      variables_(variables),
      last_layer_(last_layer),
      frozen_(first_trained_layer(model, variables)) {}

template <class F>
Tensor Batches::cached(Cache& cache, Examples examples, const F& compute) {
  const c10::NoGradGuard no_grad;
  std::vector<const model::Example*> missing;
  for (const model::Example* e : examples)
    if (!cache.contains(e) && std::ranges::find(missing, e) == missing.end()) missing.push_back(e);
  if (!missing.empty()) compute(missing);
  std::vector<Tensor> parts;
  for (const model::Example* e : examples) parts.push_back(cache.at(e));
  return at::cat(parts);
}

Tensor Batches::entering(Examples examples, const model::Packed& packed) {
  const auto run = [&](const model::Packed& p) {
    const c10::NoGradGuard no_grad;
    model::PackedOptions below;
    below.last_layer = frozen_ - 1;
    return model::forward_packed(model_, {}, p, below);
  };
  size_t bytes = 0;
  for (const auto& [e, t] : trunk_) bytes += t.nbytes();
  const auto width = static_cast<size_t>(model_.arch().d_model) * sizeof(float);
  for (const model::Example* e : examples) bytes += tokens(*e) * width;
  if (bytes > kTrunkBytes) return run(packed);
  const Tensor all = cached(trunk_, examples, [&](Examples missing) {
    const model::Packed p = model::pack(missing);
    split(run(p).index_select(0, index(joined(p.rows))), missing, tokens, trunk_);
  });  // [tokens,D], shared beginnings once an example
  std::vector<int64_t> from(packed.ids.size());
  int64_t at = 0;
  for (const auto& rows : packed.rows)
    for (const int64_t row : rows) from[static_cast<size_t>(row)] = at++;
  return all.index_select(0, index(from));
}

Tensor Batches::forward(Examples examples, const model::Packed& packed, const model::Hook& hook) {
  model::PackedOptions options;
  options.hook = hook;
  options.last_layer = last_layer_;
  options.activation_bytes = kActivationBytes;
  if (frozen_ > 0 && (last_layer_ < 0 || frozen_ <= last_layer_)) {
    options.first_layer = frozen_;
    options.entering = entering(examples, packed);
  }
  return model::forward_packed(model_, variables_, packed, options);
}

Tensor Batches::reference_states(Examples examples, const ReferenceOptions& reference) {
  Cache& states = states_[reference.temperature];
  return cached(states, examples, [&](Examples missing) {
    const model::Packed p = model::pack(missing);
    model::PackedOptions options;
    options.temperature = reference.temperature;
    const Tensor hidden = model::forward_packed(model_, {}, p, options);
    split(hidden.index_select(0, index(joined(p.predicting))), missing, predicted, states);
  });
}

Tensor Batches::reference_log_probs(Examples examples) {
  return cached(log_probs_, examples, [&](Examples missing) {
    const model::Packed p = model::pack(missing);
    const Tensor hidden =
        model::forward_packed(model_, {}, p).index_select(0, index(joined(p.predicting)));
    split(tensor::head_rows(hidden, model::head(model_, {}), tensor::log_prob(targets_of(missing))),
          missing, predicted, log_probs_);
  });
}

Tensor Batches::reference_layer(Examples examples, model::Point point) {
  Cache& layer = layers_[point];
  return cached(layer, examples, [&](Examples missing) {
    const model::Packed p = model::pack(missing);
    Tensor seen;
    model::PackedOptions options;
    options.last_layer = last_layer_;
    options.hook = [&](model::Point at, int64_t l, Tensor value) {
      if (at == point && l == last_layer_) seen = value;
      return value;
    };
    model::forward_packed(model_, {}, p, options);
    split(seen.index_select(0, index(joined(p.rows))), missing, tokens, layer);
  });
}

// The pass that all kinds of a micro-batch share; it is run when the first of them is requested.
struct MicroBatch::Pass {
  Batches& batches;
  std::vector<const model::Example*> examples;
  model::Packed packed = {};
  Tensor hidden = {};
  std::map<model::Point, Tensor> layers = {};

  void run() {
    if (hidden.defined()) return;
    packed = model::pack(examples);
    hidden = batches.forward(examples, packed, [&](model::Point point, int64_t l, Tensor value) {
      if (l == batches.last_layer()) layers[point] = value;
      return value;
    });
  }
};

class MicroBatch::Kind final : public Part {
 public:
  Kind(Pass& pass, size_t first, Examples examples, const Count& whole)
      : pass_(pass),
        first_(first),
        examples_(examples.begin(), examples.end()),
        whole_(whole),
        targets_(targets_of(examples)) {
    std::vector<float> lengths;
    std::vector<int64_t> owner;
    for (size_t e = 0; e < examples.size(); ++e) {
      lengths.push_back(static_cast<float>(examples[e]->n_predicted()));
      owner.insert(owner.end(), examples[e]->n_predicted(), static_cast<int64_t>(e));
    }
    lengths_ = tensor::from_floats(lengths, {n_examples()});
    owner_ = index(owner);
  }

  int64_t n_examples() const override { return static_cast<int64_t>(examples_.size()); }
  const Tensor& targets() const override { return targets_; }
  const Tensor& lengths() const override { return lengths_; }
  Tensor log_probs() override { return from_logits(tensor::log_prob(targets_)); }
  Tensor from_logits(tensor::RowFunction function) override {
    return tensor::head_rows(hidden_rows(),
                             model::head(pass_.batches.model(), pass_.batches.variables()),
                             std::move(function));
  }
  Tensor reference_log_probs() override { return pass_.batches.reference_log_probs(examples_); }
  Tensor reference_states(const ReferenceOptions& options) override {
    return pass_.batches.reference_states(examples_, options);
  }
  Tensor reference_logits(const Tensor& states) const override {
    return model::plain_logits(pass_.batches.model(), states);
  }
  Tensor layer(model::Point point) override {
    pass_.run();
    return pass_.layers.at(point).index_select(0, index(own(pass_.packed.rows)));
  }
  Tensor reference_layer(model::Point point) override {
    return pass_.batches.reference_layer(examples_, point);
  }
  Tensor example_sums(const Tensor& rows) const override {
    return at::zeros({n_examples()}, rows.options()).index_add(0, owner_, rows);
  }
  Tensor mean_over_rows(const Tensor& rows) const override { return mean(rows, whole_.rows); }
  Tensor mean_over_examples(const Tensor& x) const override { return mean(x, whole_.examples); }
  Tensor mean_over_tokens(const Tensor& x) const override { return mean(x, whole_.tokens); }

 private:
  static Tensor mean(const Tensor& x, int64_t n) { return x.sum() / static_cast<double>(n); }
  Tensor hidden_rows() {
    pass_.run();
    return pass_.hidden.index_select(0, index(own(pass_.packed.predicting)));
  }
  std::vector<int64_t> own(const std::vector<std::vector<int64_t>>& all) const {
    const auto begin = all.begin() + static_cast<std::ptrdiff_t>(first_);
    return joined({begin, begin + n_examples()});
  }

  Pass& pass_;
  size_t first_;  // of the pass's examples
  std::vector<const model::Example*> examples_;
  Count whole_;
  Tensor targets_, lengths_, owner_;
};

MicroBatch::MicroBatch(Batches& batches, const BatchExamples& examples, const Counts& counts)
    : pass_(std::make_unique<Pass>(Pass{batches, {}})) {
  for (const auto& [own, whole] :
       {std::pair(&examples.forget, &counts.forget), std::pair(&examples.retain, &counts.retain),
        std::pair(&examples.refusal, &counts.refusal)}) {
    kinds_.push_back(std::make_unique<Kind>(*pass_, pass_->examples.size(), *own, *whole));
    pass_->examples.insert(pass_->examples.end(), own->begin(), own->end());
  }
}
MicroBatch::~MicroBatch() = default;
Part& MicroBatch::forget() { return *kinds_[0]; }
Part& MicroBatch::retain() { return *kinds_[1]; }
Part& MicroBatch::refusal() { return *kinds_[2]; }

}  // namespace expunge::unlearn
