// mia: whether an attacker can distinguish forget texts from texts never trained on.
//   Area under ROC of a score on forget against holdout; 1/2 is what a model that never saw either
//   gives. Scores: avg_loss (Yeom et al. arXiv 1709.01604), loss over zlib length, Min-K %, Min-K++
//   (measures.h), and avg_loss minus a retain-only model's.
#include <map>

#include "verify/metric.h"
#include "verify/same_questions.h"
#include "verify/statistics.h"

namespace expunge::verify {
namespace {

using base::Result;

struct Attack {
  std::string_view key;
  Measure score;
};
constexpr Attack kAttacks[] = {{"mia_loss", loss},
                               {"mia_zlib", zlib_loss},
                               {"mia_min_k", min_k},
                               {"mia_min_k_plus_plus", min_k_plus_plus}};

// Loss minus the retain-only model's on the same row and question.
Result<std::vector<double>> excess(const MetricInput& e, const std::string& set) {
  std::map<int64_t, const QaRecord*> rows;
  for (const QaRecord& record : e.retain->at(set)) rows[record.row] = &record;
  return measure(e.records, set, [&rows](const QaRecord& record) -> Result<double> {
    const auto found = rows.find(record.row);
    if (found == rows.end())
      return base::fail(base::Code::kNotFound, "the retain-only model's records lack this row");
    if (!same_question(record.question, found->second->question))
      return base::fail(base::Code::kNotFound,
                        "the retain-only model's record of this row is of another question");
    const double retain = TRY(loss(*found->second));
    return TRY(loss(record)) - retain;
  });
}

Result<Figure> compute(const MetricInput& e, const Key& key) {
  for (const Attack& attack : kAttacks)
    if (attack.key == key.name) return Figure(TRY(attack_auc(e.records, attack.score)));
  const std::vector<double> forget = TRY(excess(e, "forget"));
  const std::vector<double> holdout = TRY(excess(e, "holdout"));
  return Figure(TRY(roc_auc(forget, holdout)));
}

}  // namespace

extern const Metric metric_mia;
const Metric metric_mia{
    "mia",
    "area under ROC of membership attacks, forget against holdout",
    "arXiv 1709.01604; 2012.07805 sec. 5.2; 2310.16789 eq. 1; 2404.02936 sec. 4",
    {{"mia_loss", {"forget", "holdout"}},
     {"mia_zlib", {"forget", "holdout"}},
     {"mia_min_k", {"forget", "holdout"}, {Need::kTokens}},
     {"mia_min_k_plus_plus", {"forget", "holdout"}, {Need::kTokens}},
     {"mia_reference", {"forget", "holdout"}, {Need::kRetainModel}}},
    compute};

}  // namespace expunge::verify
