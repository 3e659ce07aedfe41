// Exports of every family: adapters by the names that PEFT knows, a folder and a GGUF read again.
#include <gmock/gmock.h>

#include <cstdlib>

#include "base/files.h"
#include "edit/trainable_parameters.h"
#include "model/stored.h"
#include "publish/publish_test.h"
#include "tiny_folder.h"

namespace expunge::publish {
namespace {

using model::Role;
using ::testing::HasSubstr;

constexpr Role kAdaptable[] = {Role::kQ,    Role::kK,  Role::kV,   Role::kO,
                               Role::kGate, Role::kUp, Role::kDown};
const tests::Ids kText = {9, 3, 60, 21, 7, 33, 14, 50, 2, 41, 18, 5};  // longer than the windows

double distance(const model::Model& got, const model::Model& want, const tests::Ids& ids = kText) {
  return tests::relative_l2(tests::floats(tests::logits(got, ids)),
                            tests::floats(tests::logits(want, ids)));
}

class EveryFamily : public ExportTest, public ::testing::WithParamInterface<std::string> {
 protected:
  // Every row a whole number of blocks.
  static model::Arch arch() {
    model::Arch a = tests::tiny_arch_of(GetParam());
    a.d_ff = 64;
    return a;
  }
  void load_folder() {
    tests::write_folder(at("src/hf"), arch(), tests::wave_weights(arch()));
    load(at("src/hf"));
  }
  // False where llama.cpp has no such model.
  bool load_gguf(DType dtype, tests::FusedQkv fused = tests::FusedQkv::kNo) {
    const auto image = tests::family_gguf(arch(), dtype, fused);
    if (image) load_image(*image);
    return image.has_value();
  }
  edit::Edit adapters(int64_t first_layer = 0) {
    edit::Edit e;
    for (const std::string& name : edit::layer_matrices(*model_, kAdaptable, first_layer))
      e.deltas.push_back(low_rank(name, 2, 0.3));
    return e;
  }
  // A change of every tensor, biases, norms and embeddings too.
  edit::Edit all_tensors() {
    edit::Edit e;
    for (const auto& [name, param] : model_->weights())
      e.deltas.push_back({name, edit::Dense{tests::random_tensor(rng_, param->shape(), 0.05)}});
    return e;
  }
  // For tests/peers/families.py.
  void leave(const fs::path& folder) const {
    ASSERT_TRUE(run(to(Format::kSafetensors, "merged")));
    fs::create_directories(folder);
    fs::copy(folder_, folder, fs::copy_options::recursive | fs::copy_options::overwrite_existing);
    const auto values = tests::floats(tests::logits(*model_, kText));
    const auto bytes = std::as_bytes(std::span(values));
    tests::write_bytes(folder / "logits.f32",
                       {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    tests::write_bytes(folder / "ids.txt", fmt::format("{}", fmt::join(kText, " ")));
  }
  model::Model written(const std::string& name) const {
    return model::Model::load(out(name)).value();
  }
};

TEST_P(EveryFamily, APeftAdapterHasTheNamesOfTransformersAndGivesTheEditedModel) {
  load_folder();
  const model::Model base = model_->base();
  commit(adapters());
  const auto exported = run(to(Format::kPeft, "peft"));
  ASSERT_TRUE(exported) << exported.error().message;
  const base::Json config = base::read_json(out("peft/adapter_config.json")).value();
  const base::Json parameters = tests::family_case(GetParam()).at("parameters");
  for (const base::Json& module : config.at("target_modules")) {
    // The golden's model has two layers or three, this one three.
    const auto name = module.get<std::string>();
    const bool third = model::layer_of(base.arch(), name + ".weight") == 2;
    EXPECT_TRUE(third || parameters.contains(name + ".weight")) << name;
  }
  EXPECT_EQ(config.at("target_modules").size(), edit::layer_matrices(base, kAdaptable).size());
  const auto again = edit::apply(base, read_adapter(out("peft")).value());
  EXPECT_EQ(again.value().weights_hash(), model_->weights_hash());
  EXPECT_GT(distance(*model_, base), 0.1);
  if (const char* folder = std::getenv("EXPUNGE_KEEP")) leave(fs::path(folder) / GetParam());
}

TEST_P(EveryFamily, AFolderHoldsTheEditedModel) {
  load_folder();
  commit(all_tensors());
  commit(adapters(1));
  ASSERT_TRUE(run(to(Format::kSafetensors, "hf")));
  // A checkpoint's norm may lack 1, which is subtracted and added again.
  EXPECT_LT(distance(written("hf"), *model_), 1e-6);
  EXPECT_GT(distance(*model_, model_->base()), 0.1);
  ASSERT_TRUE(run(to(Format::kSafetensors, "half", DType::kBF16)));
  EXPECT_LT(distance(written("half"), *model_), 0.1);
}

TEST_P(EveryFamily, ATrainedModelIsWrittenWhole) {
  load_folder();
  const model::Model trained = edit::apply(*model_, all_tensors()).value();
  ASSERT_TRUE(save_trained(trained, base::Json::object(), to(Format::kSafetensors, "hf")));
  EXPECT_LT(distance(written("hf"), trained), 1e-6);
}

TEST_P(EveryFamily, AGgufHoldsTheEditedModel) {
  if (!load_gguf(DType::kF32)) return;
  commit(all_tensors());
  commit(adapters(1));
  const auto exported = run(to(Format::kGguf, "m.gguf"));
  ASSERT_TRUE(exported) << exported.error().message;
  EXPECT_EQ(written("m.gguf").weights_hash(), model_->weights_hash());
  EXPECT_EQ(distance(written("m.gguf"), *model_), 0);
  ASSERT_TRUE(run(to(Format::kSafetensors, "hf")));
  EXPECT_LT(distance(written("hf"), *model_), 1e-6);
}

TEST_P(EveryFamily, AQuantisedGgufStaysWithinItsRounding) {
  if (!load_gguf(DType::kQ8_0)) return;
  commit(adapters());
  const auto exported = run(to(Format::kGguf, "m.gguf"));
  ASSERT_TRUE(exported) << exported.error().message;
  EXPECT_EQ(exported->edited.size(), edit::layer_matrices(*model_, kAdaptable).size());
  for (const EditedTensor& t : exported->edited) EXPECT_LT(t.relative_error, 1e-2) << t.tensor;
  EXPECT_LT(distance(written("m.gguf"), *model_), 0.05);
  EXPECT_GT(distance(written("m.gguf"), model_->base()), 0.1);
}

// Queries, keys and values as one tensor, of which one is edited.
TEST_P(EveryFamily, FusedMatricesOfAGgufAreWrittenWhole) {
  if (!load_gguf(DType::kF32)) return;
  const std::string apart = base_hash_;
  for (const auto& [type, bound] : {std::pair(DType::kF32, 0.0), {DType::kQ8_0, 0.05}}) {
    load_gguf(type, tests::FusedQkv::kYes);
    ASSERT_NE(model_->file()->find("blk.1.attn_qkv.weight"), nullptr);
    if (type == DType::kF32) {
      EXPECT_EQ(base_hash_, apart);
    }
    const model::Arch& a = model_->arch();
    edit::Edit e{{low_rank(model::weight_name(a, Role::kK, 1), 2, 0.3)}};
    if (a.biases.contains(Role::kV))
      e.deltas.push_back({model::bias_name(a, Role::kV, 2),
                          edit::Dense{at::ones(model::shape_of(a, Role::kV)[0], tensor::f32())}});
    commit(e);
    const std::string file = fmt::format("{}.gguf", tensor::info(type).name);
    const auto exported = run(to(Format::kGguf, file));
    ASSERT_TRUE(exported) << exported.error().message;
    EXPECT_EQ(exported->edited.size(), e.deltas.size());
    EXPECT_EQ(exported->copied + e.deltas.size(), exported->tensors);
    EXPECT_LE(distance(written(file), *model_), bound);
    EXPECT_GT(distance(written(file), model_->base()), 0.01);
    const std::string query = model::weight_name(a, Role::kQ, 1);
    EXPECT_EQ(written(file).param(query).hash(), model_->param(query).hash());  // bit for bit
    ASSERT_TRUE(run(to(Format::kGguf, "half-" + file, DType::kF16)));  // all three in another type
    EXPECT_LE(distance(written("half-" + file), *model_), 1e-2);
    ASSERT_TRUE(run(to(Format::kSafetensors, "hf-" + file)));
    EXPECT_LE(distance(written("hf-" + file), *model_), 1e-6);
  }
}

// What the keys of a GGUF say is the family's model: its logits are those of config.json's.
TEST_P(EveryFamily, AGgufIsTheModelOfItsConfigJson) {
  if (!load_gguf(DType::kF32)) return;
  model::Arch same = arch();
  if (model_->arch().family == "gemma3") same.attention_scale.reset();  // no key says it
  const auto want = tests::wave_model(same);
  EXPECT_EQ(base_hash_, want->weights_hash());
  const tests::Ids within = {9, 3, 60, 21, 7};  // a mistral's window, which no key says
  EXPECT_LT(distance(*model_, *want, model_->arch().family == GetParam() ? kText : within), 1e-5);
}

TEST_P(EveryFamily, AFolderBecomesNoGgufAndTheReasonIsSaid) {
  load_folder();
  const auto refused = run(to(Format::kGguf, "m.gguf"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kUnsupported);
  EXPECT_THAT(refused.error().hint, HasSubstr("export as safetensors"));
  const bool known = tests::family_gguf(arch(), DType::kF32).has_value();
  EXPECT_EQ(refused.error().hint.find("convert_hf_to_gguf.py") != std::string::npos, known);
  if (!known) {
    EXPECT_THAT(refused.error().message, HasSubstr("llama.cpp knows no " + GetParam()));
  }
}

INSTANTIATE_TEST_SUITE_P(Families, EveryFamily, ::testing::ValuesIn(tests::family_names()),
                         [](const auto& i) { return i.param; });

}  // namespace
}  // namespace expunge::publish
