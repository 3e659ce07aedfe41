// JensUn (arXiv 2509.02820): Jensen-Shannon divergences, which are bounded by ln 2, on both sets.
//   JS(p, q) = ½ KL(p ‖ m) + ½ KL(q ‖ m),  m = (p + q) / 2
// Forget: at every answer token, of the model's distribution and all mass on a refusal's token; the
// refusal is repeated over the answer's length. With q_a = 1 the divergence depends on p_a alone:
//   ln 2 + ½ (p_a ln p_a − (1 + p_a) ln(1 + p_a)).
// Retain: of the model's distribution and that of the model as it was.
// The authors' code lets several tokens of the target have probability 1 at once; here it is one.
#include <cmath>

#include "unlearn/method.h"

namespace expunge::unlearn {
namespace {

// For every row of the answers the token of its example's refusal, from its beginning again where
// that has ended [rows].
Tensor repeated_refusals(const Part& forget, const Part& refusal) {
  const float* answers = forget.lengths().data_ptr<float>();
  const float* lengths = refusal.lengths().data_ptr<float>();
  std::vector<int64_t> rows;
  int64_t begin = 0;
  for (int64_t e = 0; e < forget.n_examples(); ++e) {
    const auto n = static_cast<int64_t>(lengths[e]);
    for (int64_t t = 0; t < static_cast<int64_t>(answers[e]); ++t) rows.push_back(begin + t % n);
    begin += n;
  }
  return refusal.targets().index_select(0, at::tensor(at::ArrayRef<int64_t>(rows), tensor::i64()));
}

Tensor forget_term(Part& forget, const Part& refusal) {
  const Tensor target = repeated_refusals(forget, refusal);
  const Tensor log_p = forget.from_logits(tensor::log_prob(target)), p = log_p.exp();  // [rows]
  return forget.mean_over_rows((p * log_p - (1 + p) * p.log1p()) / 2 + std::log(2.0));
}

struct Logs {
  Tensor p, q, m;  // log-probabilities of the model, as it was, and of their mean [c,V]
};

Tensor retain_term_of(Part& retain) {
  const Tensor states = retain.reference_states();
  const auto logs = [&retain, states](const Tensor& logits, int64_t begin) {
    Logs l;
    l.p = logits.log_softmax(1);
    l.q = retain.reference_logits(states.narrow(0, begin, logits.size(0)))
              .to(logits.scalar_type())
              .log_softmax(1);
    l.m = l.p.logaddexp(l.q) - std::log(2.0);
    return l;
  };
  tensor::RowFunction divergence{
      [logs](const Tensor& logits, int64_t begin) {
        const Logs l = logs(logits, begin);
        return (l.p.exp() * (l.p - l.m) + l.q.exp() * (l.q - l.m)).sum(1) / 2;
      },
      // ∂/∂p_v = ½ ln(p_v / m_v), through the softmax.
      [logs](Tensor& logits, int64_t begin, const Tensor& dvalue) {
        const Logs l = logs(logits, begin);
        const Tensor p = l.p.exp(), dp = (l.p - l.m) / 2;
        logits = p * (dp - (p * dp).sum(1, /*keepdim=*/true)) * dvalue.unsqueeze(1);
      }};
  return retain.mean_over_rows(retain.from_logits(std::move(divergence)));
}

Tensor loss(Minibatch& batch) {
  return forget_term(batch.forget, batch.refusal) * batch.knobs.at("forget_weight") +
         retain_term_of(batch.retain) * batch.knobs.at("retain_weight");
}

}  // namespace

extern const Method method_jensun;
const Method method_jensun{
    .name = "jensun",
    .citation = "JensUn, arXiv 2509.02820",
    .knobs = training_knobs(
        {{"forget_weight", 1, 0, 1000, "of the divergence from refusals"},
         {"retain_weight", 1, 0, 1000, "of the divergence from the model as it was"}}),
    .how = Objective{.uses = {Uses::kRetain, Uses::kRefusal}, .loss = loss},
};

}  // namespace expunge::unlearn
