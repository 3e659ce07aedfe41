// --parity open-unlearning on the default model against that project's own evaluator
// (bench/peers/open_unlearning_golden.py): every item's losses, truth ratio, reply and ROUGE.
#include <gtest/gtest.h>

#include "base/files.h"
#include "verify/evaluate.h"
#include "verify/measures.h"

namespace expunge::verify {
namespace {

using base::Json;

std::string answer_of(const Json& json) { return json.at("answer").get<std::string>(); }

TEST(Parity, EqualsOpenUnlearningItemByItem) {
  const auto chat_model = model::load_chat_model("");
  ASSERT_TRUE(chat_model) << chat_model.error().message << ": " << chat_model.error().hint;
  const std::string path = EXPUNGE_SOURCE_DIR "/tests/golden/parity.golden.json";
  const Json golden = base::parse_json(base::read_file(path).value(), path).value();
  std::vector<QaSet> sets;
  for (const auto& [name, items] : golden.at("sets").items()) {
    QaSet set{name, {}};
    for (const Json& j : items) {
      text::QaItem item;
      item.row = j.at("row").get<int64_t>();
      item.question = j.at("question").get<std::string>();
      item.answer = answer_of(j);
      if (j.contains("paraphrased") && !j["paraphrased"].is_null())
        item.paraphrased = answer_of(j["paraphrased"]);
      for (const Json& wrong : j.at("perturbed")) item.perturbed.push_back(answer_of(wrong));
      set.items.push_back(std::move(item));
    }
    sets.push_back(std::move(set));
  }
  EvaluateOptions options;
  options.parity = Parity::kOpenUnlearning;
  const auto evaluated = evaluate(*chat_model, sets, options);
  ASSERT_TRUE(evaluated) << evaluated.error().message;
  // The bound; the peer's own float32 noise is 1.5e-6.
  const auto expect_near = [](double got, double want, const std::string& what) {
    EXPECT_LT(std::abs(got - want), 1e-4 * std::abs(want)) << what;
  };
  size_t n = 0;
  for (const auto& [name, items] : golden.at("sets").items())
    for (size_t i = 0; i < items.size(); ++i, ++n) {
      const Json& want = items[i];
      const QaRecord& got = evaluated->records.at(name)[i];
      const std::string where = name + " " + std::to_string(i);
      expect_near(got.score.prob(), want.at("prob").get<double>(), where + " prob");
      if (got.paraphrased)
        expect_near(got.paraphrased->prob(), want["paraphrased"].at("prob").get<double>(),
                    where + " paraphrased");
      for (size_t w = 0; w < got.perturbed.size(); ++w)
        expect_near(got.perturbed[w].prob(), want["perturbed"][w].at("prob").get<double>(),
                    where + " perturbed");
      const auto ratio = log_truth_ratio(got, truth_of(name));
      ASSERT_TRUE(ratio);
      expect_near(std::exp(*ratio), want.at("truth_ratio").get<double>(), where + " truth ratio");
      EXPECT_EQ(got.generation, want.at("generation").get<std::string>()) << where;
      EXPECT_DOUBLE_EQ(*got.rouge1_recall, want.at("rouge1_recall").get<double>()) << where;
      EXPECT_DOUBLE_EQ(*got.rougeL_recall, want.at("rougeL_recall").get<double>()) << where;
      EXPECT_DOUBLE_EQ(*got.rougeL_f1, want.at("rougeL_f1").get<double>()) << where;
    }
  EXPECT_EQ(n, 10);
}

}  // namespace
}  // namespace expunge::verify
