// Edits as values: arithmetic, validation, the journal's blob, and weights that come back bit for
// bit.
#include "edit/edit.h"

#include <gmock/gmock.h>

#include <cmath>
#include <cstring>

#include "tiny.h"

namespace expunge::edit {
namespace {

using base::Code;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const std::string kDown1 = tests::layer_weight(1, "mlp.down_proj");
const std::string kDown2 = tests::layer_weight(2, "mlp.down_proj");
const std::string kGate = tests::layer_weight(1, "mlp.gate_proj");

Tensor random_f32(uint64_t seed, int64_t rows, int64_t columns) {
  std::mt19937_64 rng(seed);
  return tests::random_tensor(rng, {rows, columns}, 0.3);
}
// down_proj is [32,48].
Delta low_rank(const std::string& tensor, uint64_t seed, int64_t rank) {
  return {tensor, LowRank{random_f32(seed, 32, rank), random_f32(seed + 100, rank, 48)}};
}
Delta full(const std::string& tensor, uint64_t seed) {
  return {tensor, Dense{random_f32(seed, 32, 48)}};
}
Edit edit_of(std::vector<Delta> deltas) { return {std::move(deltas), base::Json::object()}; }

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.sizes() == b.sizes() && a.is_contiguous() && b.is_contiguous() &&
         std::memcmp(a.data_ptr(), b.data_ptr(), a.nbytes()) == 0;
}
double distance(const Tensor& a, const Tensor& b) { return (a - b).norm().item<double>(); }

TEST(Edit, ScaledAndSummed) {
  const Edit a = edit_of({low_rank(kDown1, 1, 2), full(kDown2, 2)});
  const Edit b = edit_of({low_rank(kDown1, 3, 1), low_rank(kDown2, 4, 1), full(kGate, 5)});
  const Edit twice = scaled(a, 2);
  EXPECT_LT(distance(dense(twice.deltas[0]), dense(a.deltas[0]) * 2), 1e-6);
  EXPECT_LT(distance(dense(twice.deltas[1]), dense(a.deltas[1]) * 2), 1e-6);
  EXPECT_TRUE(scaled(a, 0).is_zero());
  EXPECT_FALSE(a.is_zero());
  EXPECT_TRUE(Edit{}.is_zero());
  const Edit both = sum(a, b);
  ASSERT_EQ(both.deltas.size(), 3U);
  EXPECT_EQ(std::get<LowRank>(both.deltas[0].change).u.size(1), 3);
  EXPECT_LT(distance(dense(both.deltas[0]), dense(a.deltas[0]) + dense(b.deltas[0])), 1e-5);
  EXPECT_LT(distance(dense(both.deltas[1]), dense(a.deltas[1]) + dense(b.deltas[1])), 1e-5);
  EXPECT_EQ(both.deltas[2].tensor, kGate);
  EXPECT_TRUE(sum(a, scaled(a, -1)).is_zero() ||
              distance(dense(sum(a, scaled(a, -1)).deltas[0]), at::zeros({32, 48})) < 1e-5);
}

TEST(Edit, RelativeNorm) {
  const auto model = tests::random_model(3);
  const Tensor w = model->param(kDown1).value();
  const Edit half = edit_of({{kDown1, Dense{w * 0.5}}});
  EXPECT_NEAR(relative_norm(*model, half), 0.5, 1e-7);
  EXPECT_EQ(relative_norm(*model, Edit{}), 0);
}

TEST(Validate, NamesWhatIsWrong) {
  const auto model = tests::random_model(3);
  const auto error = [&](Delta delta) {
    const base::Status status = validate(*model, edit_of({std::move(delta)}));
    EXPECT_FALSE(status);
    return status ? base::Error{} : status.error();
  };
  EXPECT_TRUE(validate(*model, edit_of({low_rank(kDown1, 1, 2), full(kDown2, 2)})));
  EXPECT_EQ(error(full("model.layers.9.mlp.down_proj.weight", 1)).code, Code::kConflict);
  EXPECT_THAT(error(full("model.layers.9.mlp.down_proj.weight", 1)).message,
              HasSubstr("model.layers.9.mlp.down_proj.weight"));
  const base::Error shape = error({kDown1, Dense{random_f32(1, 32, 47)}});
  EXPECT_EQ(shape.code, Code::kConflict);
  EXPECT_THAT(shape.message, HasSubstr("32x47"));
  EXPECT_THAT(shape.message, HasSubstr("32x48"));
  EXPECT_EQ(error({kDown1, LowRank{random_f32(1, 32, 2), random_f32(1, 3, 48)}}).code,
            Code::kInvalid);
  EXPECT_EQ(error({"model.norm.weight", Dense{random_f32(1, 32, 1)}}).code, Code::kConflict);
  for (const double bad : {std::nan(""), HUGE_VAL}) {
    Delta delta = low_rank(kDown1, 1, 2);
    std::get<LowRank>(delta.change).s[1][7] = bad;
    EXPECT_EQ(error(delta).code, Code::kNumeric);
    Delta dense_delta = full(kDown1, 1);
    std::get<Dense>(dense_delta.change).value[31][47] = bad;
    EXPECT_EQ(error(dense_delta).code, Code::kNumeric);
  }
  // A dense change that is not a matrix must not pass because of its outer sizes.
  EXPECT_FALSE(validate(*model, edit_of({{kDown1, Dense{at::zeros({32, 5, 48})}}})));
  EXPECT_FALSE(validate(*model, edit_of({{kDown1, Dense{at::zeros({})}}})));
}

TEST(Serialise, RoundTripKeepsEveryBit) {
  Edit edit = edit_of({low_rank(kDown1, 1, 3), full(kDown2, 2), low_rank(kDown1, 4, 1)});
  // A view that is not contiguous, a negative zero and a denormal.
  std::get<LowRank>(edit.deltas[0].change).u = random_f32(9, 3, 32).t();
  std::get<Dense>(edit.deltas[1].change).value[0][0] = -0.0;
  std::get<Dense>(edit.deltas[1].change).value[0][1] = 1e-42;
  edit.provenance = {{"method", "stamp"}, {"residual", 0.1 + 0.2}, {"note", "naïve \"x\"\n"}};
  const std::string blob = serialise(edit).value();
  const Edit back = deserialise(blob).value();
  ASSERT_EQ(back.deltas.size(), 3U);
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(back.deltas[i].tensor, edit.deltas[i].tensor);
  const auto& low = std::get<LowRank>(back.deltas[0].change);
  EXPECT_TRUE(same_bits(low.u, std::get<LowRank>(edit.deltas[0].change).u.contiguous()));
  EXPECT_TRUE(same_bits(low.s, std::get<LowRank>(edit.deltas[0].change).s));
  EXPECT_TRUE(same_bits(std::get<Dense>(back.deltas[1].change).value,
                        std::get<Dense>(edit.deltas[1].change).value));
  EXPECT_EQ(back.provenance, edit.provenance);
  EXPECT_EQ(back.provenance["residual"].get<double>(), 0.1 + 0.2);
  EXPECT_EQ(serialise(back).value(), blob);
  const Edit empty = deserialise(serialise(Edit{}).value()).value();
  EXPECT_THAT(empty.deltas, IsEmpty());
}

// An edit reserves its neurons: stored, summed, and read from where earlier versions noted them.
TEST(Serialise, KeepsWhatAnEditOccupies) {
  Edit edit = edit_of({low_rank(kDown1, 1, 3)});
  EXPECT_EQ(serialise(edit).value().find("occupied"), std::string::npos);
  edit.occupied = {{1, {4, 7}}, {2, {0}}};
  const Edit back = deserialise(serialise(edit).value()).value();
  EXPECT_EQ(back.occupied, edit.occupied);
  const std::vector<Occupied> both = {{1, {4, 7}}, {2, {0}}, {1, {4, 7}}, {2, {0}}};
  EXPECT_EQ(sum(edit, back).occupied, both);
  EXPECT_EQ(scaled(edit, 2).occupied, edit.occupied);
}

TEST(Serialise, ReadsWhatEarlierVersionsOccupied) {
  using base::Json;
  Edit old = edit_of({low_rank(kDown1, 1, 3)});
  const std::string bare = serialise(old).value();
  const std::vector<Occupied> one = {{1, {4, 7}}}, two = {{1, {4, 7}}, {1, {5}}};
  const Json first = {{"layer", 1}, {"neurons", {4, 7}}}, second = {{"layer", 1}, {"neurons", {5}}};
  old.provenance = first;
  EXPECT_EQ(deserialise(serialise(old).value())->occupied, one);
  EXPECT_EQ(deserialise(bare, first)->occupied, one);
  EXPECT_EQ(deserialise(bare, first)->provenance, first);
  const Json parts = {{"method", "redirect"}, {"parts", {first, second}}};
  EXPECT_EQ(deserialise(bare, parts)->occupied, two);
  // Nothing is occupied by a layer alone, or by an edit that lists nothing.
  EXPECT_THAT(deserialise(bare, {{"layer", 1}})->occupied, IsEmpty());
  EXPECT_THAT(deserialise(bare)->occupied, IsEmpty());
  // A list that cannot be read is damaged: a later edit would write over the neurons.
  for (const Json& neurons : {Json("4"), Json{-1}, Json{0.5}, Json{{{"a", 1}}}})
    EXPECT_FALSE(deserialise(bare, {{"layer", 1}, {"neurons", neurons}})) << neurons.dump();
  EXPECT_FALSE(deserialise(bare, {{"layer", "1"}, {"neurons", {4}}}));
}

TEST(Serialise, EveryTruncationAndBitFlipIsHandled) {
  Edit edit = edit_of({{kDown1, LowRank{random_f32(1, 4, 1), random_f32(2, 1, 3)}},
                       {kDown2, Dense{random_f32(3, 2, 2)}}});
  edit.provenance["method"] = "stamp";
  const std::string blob = serialise(edit).value();
  for (size_t n = 0; n < blob.size(); ++n)
    EXPECT_FALSE(deserialise(std::string_view(blob).substr(0, n))) << n;
  EXPECT_FALSE(deserialise(blob + '\0'));
  const size_t data = blob.size() - 11 * sizeof(float);
  size_t accepted = 0;
  for (size_t i = 0; i < data; ++i)
    for (int bit = 0; bit < 8; ++bit) {
      std::string hostile = blob;
      hostile[i] = static_cast<char>(hostile[i] ^ (1 << bit));
      accepted += deserialise(hostile).has_value() ? 1 : 0;  // must not crash
    }
  EXPECT_LT(accepted, data * 8 / 2);
}

TEST(Serialise, HostileBlobs) {
  const auto image = [](std::map<std::string, std::string> metadata, std::vector<int64_t> u_shape,
                        std::vector<int64_t> s_shape) {
    static const std::vector<float> values(64, 1.0F);
    const auto bytes = [](const std::vector<int64_t>& shape) {
      size_t n = 1;
      for (const int64_t d : shape) n *= static_cast<size_t>(d);
      return std::as_bytes(std::span(values)).first(n * 4);
    };
    return tensor::safetensors_image({{"0.u", tensor::DType::kF32, u_shape, bytes(u_shape)},
                                      {"0.s", tensor::DType::kF32, s_shape, bytes(s_shape)}},
                                     metadata);
  };
  const std::map<std::string, std::string> good{
      {"format", "expunge-edit-1"}, {"tensors", "[\"a\"]"}, {"provenance", "{}"}};
  EXPECT_TRUE(deserialise(image(good, {4, 2}, {2, 3})));
  EXPECT_FALSE(deserialise(image(good, {4, 2}, {3, 3})));     // factors that do not multiply
  EXPECT_FALSE(deserialise(image(good, {8}, {2, 3})));        // not a matrix
  EXPECT_FALSE(deserialise(image(good, {4, 1, 2}, {2, 3})));  // nor this
  const auto with = [&](const std::string& key, const std::string& value) {
    auto metadata = good;
    metadata[key] = value;
    return deserialise(image(metadata, {4, 2}, {2, 3}));
  };
  EXPECT_EQ(with("format", "expunge-edit-9").error().code, Code::kUnsupported);
  EXPECT_FALSE(with("tensors", "[\"a\",\"b\"]"));  // a second delta without factors
  EXPECT_FALSE(with("tensors", "[7]"));
  EXPECT_FALSE(with("tensors", "{}"));
  EXPECT_FALSE(with("tensors", "not json"));
  EXPECT_FALSE(with("provenance", "{"));
  for (const char* key : {"format", "tensors", "provenance"}) {
    auto metadata = good;
    metadata.erase(key);
    EXPECT_FALSE(deserialise(image(metadata, {4, 2}, {2, 3}))) << key;
  }
  EXPECT_FALSE(deserialise(""));
  EXPECT_FALSE(deserialise(std::string(64, '\xff')));
}

TEST(Apply, MakesAnotherModelAndLeavesTheFirst) {
  const auto model = tests::random_model(3);
  const std::string base = model->weights_hash();
  const Edit edit = edit_of({low_rank(kDown1, 1, 2), full(kDown2, 2), low_rank(kDown1, 3, 1)});
  const model::Model edited = edit::apply(*model, edit).value();
  EXPECT_NE(edited.weights_hash(), base);
  const Tensor expected =
      model->param(kDown1).value() + dense(edit.deltas[0]) + dense(edit.deltas[2]);
  EXPECT_TRUE(same_bits(edited.param(kDown1).value(), expected));
  EXPECT_THAT(edited.edited(), ::testing::ElementsAre(kDown1, kDown2));
  EXPECT_EQ(model->weights_hash(), base);
  EXPECT_EQ(edited.base().weights_hash(), base);
}

TEST(Apply, SharesEveryTensorThatNoEditNames) {
  const auto model = tests::random_model(3);
  const model::Model one = edit::apply(*model, edit_of({low_rank(kDown1, 1, 2)})).value();
  const model::Model two = edit::apply(*model, edit_of({full(kDown2, 4)})).value();
  for (const auto& [name, param] : model->weights()) {
    EXPECT_EQ(&one.param(name) == param.get(), name != kDown1) << name;
    EXPECT_EQ(&two.param(name) == param.get(), name != kDown2) << name;
  }
}

TEST(Apply, IsAFunctionOfModelAndList) {
  const Edit a = edit_of({low_rank(kDown1, 1, 2)});
  const Edit b = edit_of({full(kDown1, 2), low_rank(kDown2, 3, 1)});
  const Edit c = edit_of({low_rank(kDown2, 4, 2)});
  const auto model = tests::random_model(3);
  const auto hash_of = [&](std::vector<std::vector<Edit>> steps) {
    model::Model edited = *model;
    for (const auto& edits : steps) edited = edit::apply(edited, edits).value();
    return edited.weights_hash();
  };
  const std::string abc = hash_of({{a, b, c}});
  EXPECT_EQ(hash_of({{a}, {b}, {c}}), abc);
  EXPECT_EQ(hash_of({{a}, {}, {b, c}}), abc);
  EXPECT_NE(hash_of({{a, c}}), abc);
  EXPECT_EQ(hash_of({{}}), model->weights_hash());
}

TEST(Apply, RefusesTheWholeListForOneBadEdit) {
  const auto model = tests::random_model(3);
  const Edit good = edit_of({low_rank(kDown1, 1, 2)});
  EXPECT_FALSE(edit::apply(
      *model, std::array{good, edit_of({full("model.layers.9.mlp.down_proj.weight", 1)})}));
  EXPECT_FALSE(
      edit::apply(*model, edit_of({full(kDown1, 1), {kDown2, Dense{random_f32(1, 3, 3)}}})));
}

}  // namespace
}  // namespace expunge::edit
