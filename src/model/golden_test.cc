// The forward passes against Hugging Face transformers on a tiny model of every family, whose
// weights are a formula (tests/golden/families.py): logits, taps and the gradient of every tensor.
#include <gmock/gmock.h>

#include <filesystem>
#include <map>

#include "model/family.h"
#include "model/forward.h"
#include "model/packed.h"
#include "tiny_meta.h"

namespace expunge::model {
namespace {

using tests::floats;
using tests::Golden;
using tests::relative_l2;

// "gemma3/softcap": a file and a case in it.
std::pair<std::string, std::string> parts(const std::string& spec) {
  const size_t slash = spec.find('/');
  return {spec.substr(0, slash), spec.substr(slash + 1)};
}

const Golden& golden(const std::string& family) {
  static std::map<std::string, Golden> files;
  return files.try_emplace(family, "families/" + family).first->second;
}

// Every case of every file: a family without one is noticed by EveryFamilyHasAGolden.
std::vector<std::string> cases() {
  std::vector<std::string> list;
  const std::filesystem::path folder =
      std::filesystem::path(EXPUNGE_SOURCE_DIR) / "tests/golden/families";
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    const std::string family = file.path().stem().string();
    for (const auto& [name, value] : golden(family).value("cases").items())
      list.push_back(family + "/" + name);
  }
  std::ranges::sort(list);
  return list;
}

class Case : public testing::TestWithParam<std::string> {
 protected:
  Case() {
    arch_ = arch_from_hf(json("config"), {}).value();
    model_ = tests::wave_model(arch_);
    ids_ = file().ids(key("ids"));
  }
  const Golden& file() const { return golden(parts(GetParam()).first); }
  const base::Json& spec() const { return file().value("cases").at(parts(GetParam()).second); }
  base::Json json(const char* what) const {
    return base::Json::parse(spec().at(what).get<std::string>());
  }
  std::string key(const std::string& what) const { return parts(GetParam()).second + "." + what; }
  // Relative L2 below ten times what transformers in float32 is off its own float64.
  void expect_golden(const Tensor& got, const std::string& what) const {
    const double floor = std::max(spec().at("floors").at(what).get<double>(), 0x1p-24);
    EXPECT_LT(relative_l2(floats(got), file().floats(key(what))), 10 * floor)
        << key(what) << ", floor " << floor;
  }
  // A hook that compares every tap that the golden file contains.
  Hook comparing(int& seen) const {
    return [this, &seen](Point point, int64_t layer, Tensor value) {
      const char* name = point == Point::kMlpInput    ? "mlp_input"
                         : point == Point::kDownInput ? "down_input"
                         : point == Point::kMlpOutput ? "mlp_output"
                                                      : "block_output";
      expect_golden(value, std::to_string(layer) + "." + name);
      ++seen;
      return value;
    };
  }
  // Several sequences as one batch, or one sequence token by token: the same rows.
  Tensor packed_logits(const std::vector<std::vector<int32_t>>& texts, const Hook& hook) const {
    Runner runner(*model_);
    std::vector<Sequence> sequences(texts.size());
    std::vector<Chunk> chunks;
    for (size_t i = 0; i < texts.size(); ++i) chunks.push_back({&sequences[i], texts[i]});
    return runner.logits(runner.forward(chunks, hook));
  }
  Arch arch_;
  std::shared_ptr<const Model> model_;
  std::vector<int32_t> ids_;
};

TEST_P(Case, ExpectsTheCheckpointsTensors) {
  std::map<std::string, std::vector<int64_t>> expected, ours;
  for (const auto& [name, shape] : spec().at("parameters").items())
    expected[name] = shape.get<std::vector<int64_t>>();
  for (const auto& [name, shape] : expected_tensors(arch_)) ours[name] = shape;
  EXPECT_EQ(ours, expected);
}

TEST_P(Case, OldAndOwnConfigJsonSayTheSame) {
  for (const base::Json& other : {json("old_config"), arch_to_hf(arch_)}) {
    const auto again = arch_from_hf(other, {});
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(again->ropes, arch_.ropes);
    EXPECT_EQ(again->layers, arch_.layers);
    EXPECT_EQ(again->biases, arch_.biases);
    EXPECT_EQ(again->rotary(), arch_.rotary());
    EXPECT_DOUBLE_EQ(again->score_scale(), arch_.score_scale());
    EXPECT_EQ(base::dump_json(arch_to_hf(*again)), base::dump_json(arch_to_hf(arch_)));
  }
}

// transformers 5 refuses a number of the other kind.
TEST_P(Case, OwnConfigJsonHasTheKindsOfNumbersOfTransformers) {
  const base::Json theirs = json("config");
  const base::Json ours = arch_to_hf(arch_);
  for (const auto& [key, value] : ours.items())
    if (value.is_number() && theirs.contains(key) && theirs[key].is_number()) {
      EXPECT_EQ(value.is_number_integer(), theirs[key].is_number_integer()) << key;
    }
}

TEST_P(Case, PlainPassLogitsAndTaps) {
  const c10::InferenceMode no_grad;
  int seen = 0;
  const Tensor hidden = forward_plain(*model_, ids_, comparing(seen));
  EXPECT_EQ(seen, 4 * arch_.n_layers);
  expect_golden(plain_logits(*model_, hidden), "logits");
}

TEST_P(Case, PackedPassLogitsAndTaps) {
  int seen = 0;
  expect_golden(packed_logits({ids_}, comparing(seen)), "logits");
  EXPECT_EQ(seen, 4 * arch_.n_layers);
}

// Each row of a batch as if it were alone.
TEST_P(Case, PackedEqualsSingle) {
  const std::vector<int32_t> other = file().ids(key("short.ids"));
  const Tensor both = packed_logits({other, ids_}, {});
  const auto n = static_cast<int64_t>(other.size());
  expect_golden(both.narrow(0, 0, n), "short.logits");
  expect_golden(both.narrow(0, n, both.size(0) - n), "logits");
}

// Dynamic scaling rotates by the length so far, which a cache cannot take back.
TEST_P(Case, CachedEqualsFull) {
  for (const Rope& rope : arch_.ropes)
    if (rope.scaling == Rope::Scaling::kDynamic) return;
  Runner runner(*model_);
  Sequence sequence;
  std::vector<Tensor> rows;
  for (const auto& [begin, end] : {std::pair{0, 4}, {4, 5}, {5, 6}, {6, 13}}) {
    const std::vector<int32_t> some(ids_.begin() + begin, ids_.begin() + end);
    const Chunk chunk{&sequence, some};
    rows.push_back(runner.logits(runner.forward({&chunk, 1})));
  }
  expect_golden(at::cat(rows), "logits");
}

TEST_P(Case, GradientsOfEveryTensor) {
  std::map<std::string, Tensor> leaves;
  for (const auto& [name, param] : model_->weights())
    leaves[name] = param->value().clone().requires_grad_(true);
  const Model model = model_->with(leaves);
  const Tensor logits = plain_logits(model, forward_plain(model, ids_));
  const Tensor loss = at::cross_entropy_loss(logits.narrow(0, 0, logits.size(0) - 1),
                                             tensor::from_ids({ids_.begin() + 1, ids_.end()}));
  expect_golden(loss, "loss");
  loss.backward();
  for (const auto& [name, leaf] : leaves) expect_golden(leaf.grad(), "grad." + name);
}

TEST_P(Case, TrainingPassGradientsOfEveryTensor) {
  Variables variables;
  for (const auto& [name, param] : model_->weights()) {
    Tensor leaf = param->value().clone();
    tensor::train(leaf);
    variables[name].weight = leaf;
  }
  const Example example{ids_, 1};
  const Example* const one = &example;
  const Packed packed = pack({&one, 1});
  int seen = 0;
  PackedOptions options;
  // The last token has no row here, so the taps differ from the golden's by a row.
  options.hook = [&seen](Point, int64_t, Tensor value) { return ++seen, value; };
  const Tensor hidden = forward_packed(*model_, variables, packed, options);
  const Tensor targets = tensor::from_ids({ids_.begin() + 1, ids_.end()});
  const Tensor loss =
      -tensor::head_rows(hidden, head(*model_, variables), tensor::log_prob(targets)).mean();
  EXPECT_EQ(seen, 4 * arch_.n_layers);
  expect_golden(loss, "loss");
  tensor::backward(loss);
  for (const auto& [name, variable] : variables)
    expect_golden(variable.weight.grad(), "grad." + name);
}

TEST_P(Case, GgufNamesAreThoseOfLlamaCpp) {
  const base::Json& gguf = spec().at("gguf");
  const Family* family = find_family(arch_.family);
  if (gguf.is_null()) {
    EXPECT_TRUE(family->gguf.empty());
    return;
  }
  EXPECT_TRUE(family->gguf.empty() || family->gguf.front() == gguf.at("architecture"));
  for (const auto& [name, stored] : gguf.at("tensors").items()) {
    EXPECT_EQ(name_to_gguf(arch_, name), stored.get<std::string>()) << name;
    EXPECT_EQ(name_from_gguf(arch_, stored.get<std::string>()), name);
  }
}

// Of a GGUF's keys. What no key can say is left out: truncated betas, other scalings, windows.
TEST_P(Case, ItsGgufMetadataSaysTheSame) {
  if (spec().at("gguf").is_null()) return;
  base::Json keys = spec().at("gguf").at("metadata");
  const auto word = spec().at("gguf").at("architecture").get<std::string>();
  keys["general.architecture"] = word;
  const auto got = arch_from_gguf(tests::gguf_meta(keys));
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(got->n_layers, arch_.n_layers);
  EXPECT_EQ(std::tie(got->d_model, got->d_ff), std::tie(arch_.d_model, arch_.d_ff));
  EXPECT_EQ(std::tie(got->n_heads, got->n_kv_heads), std::tie(arch_.n_heads, arch_.n_kv_heads));
  EXPECT_EQ(std::tie(got->head_dim, got->norm_eps), std::tie(arch_.head_dim, arch_.norm_eps));
  EXPECT_EQ(got->rotary(), arch_.rotary());
  EXPECT_EQ(got->logit_cap, arch_.logit_cap);
  ASSERT_EQ(got->ropes.size(), arch_.ropes.size());
  for (size_t i = 0; i < got->ropes.size() && keys.contains(word + ".rope.freq_base"); ++i) {
    Rope want = arch_.ropes[i];
    want.truncate = true;
    if (i == 0 && !keys.contains(word + ".rope.scaling.type")) want = {.theta = want.theta};
    EXPECT_EQ(got->ropes[i], want) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Transformers, Case, testing::ValuesIn(cases()), [](const auto& i) {
  const auto names = parts(i.param);
  return names.first == names.second ? names.first : names.first + "_" + names.second;
});

TEST(Families, EveryOneHasAGolden) {
  for (const Family* family : families())
    EXPECT_TRUE(std::filesystem::exists(std::string(EXPUNGE_SOURCE_DIR) +
                                        "/tests/golden/families/" + std::string(family->name) +
                                        ".golden"))
        << family->name;
}

}  // namespace
}  // namespace expunge::model
