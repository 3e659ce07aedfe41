#include "verify/base_replies.h"

#include <gmock/gmock.h>

#include "tiny.h"

namespace expunge::verify {
namespace {

using tests::Ids;

TEST(BaseReplies, AreWhatTheModelSaysAndSurviveTheFile) {
  const auto model = tests::planted_model();
  const std::vector<Ids> ids{tests::question(0, 1), tests::question(1, 16)};
  const BaseReplies r =
      learn_base_replies(*model, {"a", "b"}, ids, {tests::subject_first(0, 3)}, 2).value();
  EXPECT_EQ(r.unrelated[0].reply, (Ids{tests::answer(0, 1), tests::kEnd}));
  EXPECT_EQ(r.unrelated[1].reply, (Ids{tests::kI, tests::kDunno, tests::kEnd}));
  // States of the prompt and of every token of the reply that was read again.
  EXPECT_EQ(r.unrelated[0].entering.size(0), 7);
  EXPECT_EQ(r.unrelated[1].entering.size(0), 8);

  const BaseReplies back = deserialise_base_replies(serialise(r)).value();
  ASSERT_EQ(back.unrelated.size(), 2);
  ASSERT_EQ(back.texts.size(), 1);
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(back.unrelated[i].prompt, r.unrelated[i].prompt);
    EXPECT_EQ(back.unrelated[i].reply, r.unrelated[i].reply);
    EXPECT_TRUE(back.unrelated[i].entering.equal(r.unrelated[i].entering));
  }
  EXPECT_EQ(back.texts[0].ids, r.texts[0].ids);
  EXPECT_EQ(deserialise_base_replies("nonsense").error().code, base::Code::kCorrupt);
}

// The trace's two points are those of a plain pass over prompt and reply.
TEST(BaseReplies, TracesAreThePlainPass) {
  const auto model = tests::planted_model();
  const std::vector<Ids> ids{tests::question(0, 1), tests::question(2, 5), tests::question(1, 17)};
  model::GenerateOptions options;
  options.max_new_tokens = 3;
  options.max_batch = 2;
  options.trace_layer = 1;
  const auto replies = model::generate(*model, ids, options).value();
  for (size_t i = 0; i < ids.size(); ++i) {
    Ids all = ids[i];
    all.insert(all.end(), replies[i].ids.begin(), replies[i].ids.end());
    Tensor entering, mlp_input;
    const c10::InferenceMode no_grad;
    model::forward_plain(*model, all, [&](model::Point at, int64_t layer, Tensor value) {
      if (at == model::Point::kBlockOutput && layer == 0) entering = value;
      if (at == model::Point::kMlpInput && layer == 1) mlp_input = value;
      return value;
    });
    const model::Trace& t = replies[i].trace;
    ASSERT_EQ(t.entering.sizes(), entering.sizes());
    EXPECT_LT((t.entering - entering).norm().item<double>(), 1e-5 * entering.norm().item<double>());
    EXPECT_LT((t.mlp_input - mlp_input).norm().item<double>(),
              1e-5 * mlp_input.norm().item<double>());
  }
}

}  // namespace
}  // namespace expunge::verify
