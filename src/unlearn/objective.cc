#include "unlearn/objective.h"

#include "tensor/kernels/softmax_stats.h"

namespace expunge::unlearn {

Tensor cross_entropy(Part& part) { return -part.mean_over_rows(part.log_probs()); }

Tensor distillation(Part& part, const Teacher& teacher, const ReferenceOptions& options) {
  const Tensor states = part.reference_states(options);
  const auto target = [&part, states, teacher](const Tensor& logits, int64_t begin) {
    return teacher(part.reference_logits(states.narrow(0, begin, logits.size(0))), begin)
        .log_softmax(1);  // [c,V]
  };
  tensor::RowFunction kl{[target](const Tensor& logits, int64_t begin) {
                           const Tensor wanted = target(logits, begin);
                           // 0 log 0 = 0: a teacher may give a token probability zero.
                           const Tensor gap =
                               (wanted - logits.log_softmax(1)).masked_fill(wanted.isneginf(), 0);
                           return (wanted.exp() * gap).sum(1);
                         },
                         [target](Tensor& logits, int64_t begin, const Tensor& dvalue) {
                           const Tensor wanted = target(logits, begin).exp();
                           logits = (logits.softmax(1) - wanted) * dvalue.unsqueeze(1);
                         }};
  return part.mean_over_rows(part.from_logits(std::move(kl)));
}

tensor::RowFunction inverted_hinge_rows(Tensor targets) {
  struct Two {
    Tensor p, at, true_p, runner_up, runner_p;  // p [c,V], the others [c,1]
  };
  const auto two = [targets](const Tensor& logits, int64_t begin) {
    Two t;
    t.p = logits.softmax(1);
    t.at = targets.narrow(0, begin, logits.size(0)).unsqueeze(1);
    t.true_p = t.p.gather(1, t.at);
    std::tie(t.runner_p, t.runner_up) = t.p.scatter(1, t.at, -1).max(1, /*keepdim=*/true);
    return t;
  };
  const auto fast = [targets](const Tensor& logits, int64_t begin) {
    std::vector<tensor::kernels::Rivals> rows(static_cast<size_t>(logits.size(0)));
    tensor::kernels::rivals(logits.data_ptr<float>(), logits.size(0), logits.size(1),
                            targets.data_ptr<int64_t>() + begin, rows.data());
    return rows;
  };
  return {[two, fast](const Tensor& logits, int64_t begin) {
            if (logits.scalar_type() != at::kFloat) {
              const Two t = two(logits, begin);
              return (1 + t.true_p - t.runner_p).squeeze(1);
            }
            Tensor values = at::empty({logits.size(0)}, tensor::f32());
            float* value = values.data_ptr<float>();
            for (const auto& r : fast(logits, begin))
              *value++ = static_cast<float>(1 + r.target_p - r.other_p);
            return values;
          },
          [two, fast, targets](Tensor& logits, int64_t begin, const Tensor& dvalue) {
            if (logits.scalar_type() != at::kFloat) {
              // d p_a/dz_v = p_a (1[v = a] − p_v)
              const Two t = two(logits, begin);
              logits = t.p * (t.runner_p - t.true_p);
              logits.scatter_add_(1, t.at, t.true_p).scatter_add_(1, t.runner_up, -t.runner_p);
              logits.mul_(dvalue.unsqueeze(1));
              return;
            }
            // The same: (1[v = a] − p_v)(p_a − p_b), and what is left of the two tokens' own terms.
            const auto rows = fast(logits, begin);
            const int64_t* target = targets.data_ptr<int64_t>() + begin;
            const Tensor given = dvalue.contiguous(), scaled = at::empty_like(given);
            const float* d = given.data_ptr<float>();
            for (size_t r = 0; r < rows.size(); ++r)
              scaled.data_ptr<float>()[r] = static_cast<float>(
                  (rows[r].target_p - rows[r].other_p) * static_cast<double>(d[r]));
            tensor::kernels::log_prob_gradient(logits.data_ptr<float>(), logits.size(0),
                                               logits.size(1), target, scaled.data_ptr<float>());
            for (size_t r = 0; r < rows.size(); ++r) {
              float* row = logits.data_ptr<float>() + static_cast<int64_t>(r) * logits.size(1);
              const auto own = static_cast<float>(rows[r].other_p) * d[r];
              row[target[r]] += own;
              row[rows[r].other] -= own;
            }
          }};
}

Tensor inverted_hinge(Part& part) {
  return part.mean_over_rows(part.from_logits(inverted_hinge_rows(part.targets())));
}

namespace {
constexpr double kKl = 1;  // knob retain_loss
}

Tensor retain_term(Minibatch& batch) {
  const double weight = batch.knobs.at("retain_weight");
  const Tensor term =
      batch.knobs.at("retain_loss") == kKl
          ? distillation(batch.retain, [](const Tensor& logits, int64_t) { return logits; })
          : cross_entropy(batch.retain);
  return term * weight;
}

std::vector<Knob> with_retain_knobs(std::vector<Knob> own) {
  own.push_back({"retain_weight", 1, 0, 1000, "of the retain term beside the forget term"});
  own.push_back(
      {"retain_loss", 0, 0, 1, "cross-entropy, or KL from the model as it was", {"ce", "kl"}});
  return own;
}

std::vector<Knob> training_knobs(std::vector<Knob> own, const TrainingDefaults& d) {
  const std::vector<Knob> common = {
      {"lr", d.lr, 0, 1, "learning rate at its height"},
      {"epochs", d.epochs, 0, 1000, "passes over the forget set"},
      {"batch", 32, 1, 4096, "forget examples a step, each with one to keep"},
      {"warmup", 1, 0, 1000, "epochs over which the rate rises"},
      {"schedule",
       1,
       0,
       1,
       "the rate afterwards: as it is, or falling to 0",
       {"constant", "linear"}},
      {"decay", 0.01, 0, 10, "weight decay, of matrices"},
      {"clip", 0, 0, 1e6, "largest norm of the gradient; 0: any"},
      {"lora", d.lora, 0, 4096, "rank of low-rank adapters; 0 trains the weights themselves"},
      {"alpha", 0, 0, 65536, "adapters are scaled by alpha / rank; 0: twice the rank"},
      {"modules",
       0,
       0,
       4,
       "matrices trained: of attention and MLP; without adapters 'all' is every tensor",
       {"all", "attention", "mlp", "qv", "down"}},
      {"from_layer", 0, 0, 1023, "first layer that is trained"}};
  own.insert(own.end(), common.begin(), common.end());
  return own;
}

}  // namespace expunge::unlearn
