// The examples of tests/golden/losses.golden as methods see them: logits, references and layers are
// given, no model is run.
#pragma once

#include <gtest/gtest.h>

#include "golden.h"
#include "tiny.h"
#include "unlearn/method.h"

namespace expunge::unlearn {

inline const tests::Golden& golden() {
  static const tests::Golden g("losses");
  return g;
}

inline double l2(const Tensor& t) { return t.norm().item<double>(); }
inline double relative(const Tensor& got, const Tensor& want) { return l2(got - want) / l2(want); }

inline Tensor golden_matrix(const std::string& name, const char* width) {
  const std::vector<float> values = golden().floats(name);
  const auto columns = golden().value(width).get<int64_t>();
  return tensor::from_floats(values, {static_cast<int64_t>(values.size()) / columns, columns});
}

// Examples whose logits, reference and layer values are given; `logits` and `states` are leaves.
class Given final : public Part {
 public:
  explicit Given(const std::string& kind)
      : logits(golden_matrix(kind + ".logits", "vocabulary")),
        reference(golden_matrix(kind + ".reference", "vocabulary")),
        states(golden_matrix(kind + ".layer", "width")),
        smoothed_(golden_matrix(kind + ".smoothed", "vocabulary")),
        reference_states_(golden_matrix(kind + ".layer_reference", "width")),
        targets_(tensor::from_ids(golden().ids(kind + ".targets"))) {
    const auto lengths = golden().value("lengths").at(kind).get<std::vector<int64_t>>();
    std::vector<float> floats(lengths.begin(), lengths.end());
    lengths_ = tensor::from_floats(floats, {static_cast<int64_t>(lengths.size())});
    sizes_ = lengths;
    tensor::train(logits);
    tensor::train(states);
  }
  Tensor logits, reference, states;

  int64_t n_examples() const override { return lengths_.size(0); }
  const Tensor& targets() const override { return targets_; }
  const Tensor& lengths() const override { return lengths_; }
  Tensor log_probs() override { return from_logits(tensor::log_prob(targets_)); }
  Tensor reference_log_probs() override {
    return reference.log_softmax(1).gather(1, targets_.unsqueeze(1)).squeeze(1);
  }
  // In pieces of four rows, as head_rows would take longer answers.
  Tensor from_logits(tensor::RowFunction function) override {
    const Tensor head = at::eye(logits.size(1), tensor::f32());
    std::vector<Tensor> parts;
    for (int64_t at = 0; at < logits.size(0); at += 4) {
      tensor::RowFunction shifted{[function, at](const Tensor& piece, int64_t begin) {
        return function.value(piece, at + begin);
      }};
      if (function.gradient)
        shifted.gradient = [function, at](Tensor& piece, int64_t begin, const Tensor& dvalue) {
          function.gradient(piece, at + begin, dvalue);
        };
      const Tensor piece = logits.narrow(0, at, std::min<int64_t>(4, logits.size(0) - at));
      parts.push_back(tensor::head_rows(piece, {.weight = head}, shifted));
    }
    return at::cat(parts);
  }
  // States are half the logits.
  Tensor reference_states(const ReferenceOptions& options) override {
    return (options.temperature == 1 ? reference : smoothed_) / 2;
  }
  Tensor reference_logits(const Tensor& half) const override { return half * 2; }
  Tensor layer(model::Point) override { return states; }
  Tensor reference_layer(model::Point) override { return reference_states_; }
  Tensor example_sums(const Tensor& rows) const override {
    std::vector<Tensor> sums;
    for (const Tensor& own : rows.split_with_sizes(sizes_)) sums.push_back(own.sum());
    return at::stack(sums);
  }
  Tensor mean_over_rows(const Tensor& rows) const override { return rows.mean(); }
  Tensor mean_over_examples(const Tensor& x) const override { return x.mean(); }
  Tensor mean_over_tokens(const Tensor& x) const override { return x.mean(); }

 private:
  Tensor smoothed_, reference_states_, targets_, lengths_;
  std::vector<int64_t> sizes_;
};

// A step over the golden file's examples.
struct GivenStep {
  Given forget{"forget"}, retain{"retain"}, refusal{"refusal"};
  edit::FitState state = {};

  double loss(std::string_view name, const Knobs& given) {
    const Method& method = *find_method(name).value();
    const Knobs knobs = complete(method, given).value();
    Minibatch batch{*model(), knobs,  golden().value("seed").get<uint64_t>(), true, state, forget,
                    retain,   refusal};
    for (Given* part : {&forget, &retain, &refusal}) {
      part->logits.mutable_grad().zero_();
      part->states.mutable_grad().zero_();
    }
    const Tensor loss = method.objective()->loss(batch);
    tensor::backward(loss);
    return loss.item<double>();
  }
  // Only its sizes matter.
  static const std::shared_ptr<const model::Model>& model() {
    static const std::shared_ptr<const model::Model> m = [] {
      tensor::start(1);
      model::Arch c = tests::tiny_arch();
      c.vocab_size = golden().value("vocabulary").get<int64_t>();
      c.d_model = golden().value("width").get<int64_t>();
      c.n_layers = 1;
      return tests::shared(model::Model::from_weights(c, tests::random_weights(c, 1)).value());
    }();
    return m;
  }
};

}  // namespace expunge::unlearn
