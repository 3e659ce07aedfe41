// Exports of a tiny llama from a GGUF and from a folder, and what must be refused.
#include "publish/publish_test.h"

#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

#include "base/files.h"
#include "base/hash.h"
#include "tensor/threads.h"
#include "tiny_folder.h"

namespace expunge::publish {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

constexpr const char* kDown = "model.layers.1.mlp.down_proj.weight";
constexpr const char* kKeys = "model.layers.2.self_attn.k_proj.weight";

model::Arch config() {
  model::Arch c = tests::tiny_arch();
  c.d_ff = 64;  // whole blocks
  return c;
}

using tests::gguf_image;

class PublishTest : public ExportTest {
 protected:
  void load_gguf(DType dtype) { load_image(gguf_image(config(), dtype)); }
  // Of a down_proj and of a k_proj, whose rows GGUF permutes.
  void edit(double size = 1) { commit({{low_rank(kDown, 1, size), low_rank(kKeys, 1, size)}}); }
  std::vector<std::string> outputs() const {
    std::vector<std::string> names;
    for (const auto& file : fs::directory_iterator(folder_ / "out"))
      names.push_back(file.path().filename());
    return names;
  }
};

TEST_F(PublishTest, WithoutEditsTheGgufIsTheSourceByteForByte) {
  load_gguf(DType::kQ4_1);
  const Exported e = run(to(Format::kGguf, "m.gguf")).value();
  EXPECT_EQ(base::read_file(out("m.gguf")).value(), base::read_file(at("src/m.gguf")).value());
  EXPECT_EQ(e.sha256, model_->file_hash().value());
  EXPECT_EQ(e.copied, e.tensors);
  EXPECT_TRUE(e.edited.empty());
}

TEST_F(PublishTest, OnlyEditedTensorsDiffer) {
  load_gguf(DType::kF32);
  edit();
  const Exported e = run(to(Format::kGguf, "m.gguf")).value();
  EXPECT_EQ(e.copied + 2, e.tensors);
  for (const EditedTensor& t : e.edited) EXPECT_EQ(t.max_error, 0) << t.tensor;
  const auto written = model::Model::load(out("m.gguf")).value();
  EXPECT_EQ(written.weights_hash(), model_->weights_hash());  // k_proj's rows stand right
  EXPECT_NE(written.weights_hash(), base_hash_);
  EXPECT_NE(written.file()->find("extra.unknown"), nullptr);
  EXPECT_EQ(e.sha256, base::sha256_hex(base::read_file(out("m.gguf")).value()));
}

// What the model does not read goes through as it is, whatever the type asked for.
TEST_F(PublishTest, TensorsOfOtherTypesAreWrittenThrough) {
  const std::vector<int64_t> ids = {0, 1, 2, 3, 4, 5};
  const auto bytes = std::as_bytes(std::span(ids));
  tests::write_folder(at("src"), config(), tests::random_weights(config(), 5),
                      {{"model.rotary_emb.position_ids", DType::kI64, {1, 6}, bytes},
                       {"model.layers.0.self_attn.mask", DType::kBool, {6}, bytes.first(6)}});
  load(at("src"));
  edit();
  for (const auto& dtype : {std::optional<DType>(), std::optional(DType::kF16)}) {
    ASSERT_TRUE(run(to(Format::kSafetensors, dtype ? "f16" : "same", dtype)));
    const auto file = tensor::TensorFile::open(out(dtype ? "f16" : "same")).value();
    const auto* kept = file->find("model.rotary_emb.position_ids");
    ASSERT_NE(kept, nullptr);
    EXPECT_EQ(kept->dtype, DType::kI64);
    EXPECT_TRUE(std::ranges::equal(kept->bytes, bytes));
    EXPECT_EQ(file->find("model.layers.0.self_attn.mask")->dtype, DType::kBool);
  }
}

TEST_F(PublishTest, EveryTypeThatCanBeWrittenStaysWithinItsRounding) {
  load_gguf(DType::kQ4_1);
  edit();
  const std::pair<DType, double> kBounds[] = {
      {DType::kF32, 0},     {DType::kF16, 4e-4},  {DType::kBF16, 3e-3}, {DType::kQ8_0, 1e-2},
      {DType::kQ5_1, 4e-2}, {DType::kQ5_0, 6e-2}, {DType::kQ4_1, 8e-2}, {DType::kQ4_0, 0.11}};
  for (const auto& [dtype, bound] : kBounds) {
    const std::string file = std::string(tensor::info(dtype).name) + ".gguf";
    const auto e = run(to(Format::kGguf, file, dtype));
    ASSERT_TRUE(e) << file << ": " << e.error().message;
    ASSERT_EQ(e->edited.size(), 2u);
    EXPECT_EQ(e->copied + 2, e->tensors);
    for (const EditedTensor& t : e->edited) {
      EXPECT_EQ(t.dtype, dtype);
      EXPECT_LE(t.relative_error, bound) << file;
      EXPECT_EQ(t.relative_error > 0, dtype != DType::kF32);
      EXPECT_LT(t.change_error, 1) << "the edit is drowned";
    }
    EXPECT_TRUE(model::Model::load(out(file)));
  }
}

TEST_F(PublishTest, TheRecordNamesEntriesAndNoWords) {
  load_gguf(DType::kQ8_0);
  edit();
  const Exported e = run(to(Format::kGguf, "m.gguf")).value();
  const std::string text = base::read_file(e.record).value();
  const base::Json record = base::parse_json(text, "record").value();
  EXPECT_EQ(record["entries"][0]["id"], 1);
  EXPECT_EQ(record["chain"], journal_->chain().value());
  EXPECT_EQ(record["sha256"], e.sha256);
  EXPECT_EQ(record["base_sha256"], model_->file_hash().value());
  EXPECT_THAT(text, testing::Not(HasSubstr("secret")));
  EXPECT_THAT(outputs(), UnorderedElementsAre("m.gguf", "m.gguf.expunge.json"));
}

TEST_F(PublishTest, AGgufBecomesAFolderWithTheSameWeights) {
  load_gguf(DType::kQ4_1);
  edit();
  const Exported e = run(to(Format::kSafetensors, "hf")).value();
  const auto written = model::Model::load(out("hf")).value();
  EXPECT_EQ(written.weights_hash(), model_->weights_hash());
  EXPECT_EQ(written.arch().end_ids, model_->arch().end_ids);
  EXPECT_EQ(e.edited.size(), 2u);
  EXPECT_EQ(e.edited[0].max_error, 0);
  for (const char* file : {"config.json", "generation_config.json", "tokenizer.json",
                           "tokenizer_config.json", "expunge.json"})
    EXPECT_TRUE(base::read_json(out("hf/") + file)) << file;
  const base::Json side = base::read_json(out("hf/tokenizer_config.json")).value();
  EXPECT_EQ(side["eos_token"], "<end>");
  EXPECT_EQ(side["chat_template"], "{{ messages[0]['content'] }}");
  EXPECT_THAT(outputs(), ElementsAre("hf"));
}

TEST_F(PublishTest, AFolderGoesOnAsAFolder) {
  load_gguf(DType::kF32);
  ASSERT_TRUE(run(to(Format::kSafetensors, "first", DType::kF16)));
  fs::rename(out("first"), at("src/hf"));
  load(at("src/hf"));
  edit();
  const Exported e = run(to(Format::kSafetensors, "hf")).value();
  EXPECT_EQ(e.copied + 2, e.tensors);
  EXPECT_EQ(e.edited[0].dtype, DType::kF16);
  EXPECT_LT(e.edited[0].relative_error, 4e-4);
  EXPECT_EQ(base::read_file(out("hf/config.json")).value(),
            base::read_file(at("src/hf/config.json")).value());
  ASSERT_TRUE(run(to(Format::kSafetensors, "bf16", DType::kBF16)));
  EXPECT_EQ(base::read_json(out("bf16/config.json")).value()["torch_dtype"], "bfloat16");
  const auto no_gguf = run(to(Format::kGguf, "m.gguf"));
  ASSERT_FALSE(no_gguf);
  EXPECT_EQ(no_gguf.error().code, Code::kUnsupported);
  EXPECT_FALSE(no_gguf.error().hint.empty());
}

TEST_F(PublishTest, TheSourceIsNeverWritten) {
  load_gguf(DType::kF32);
  edit();
  const std::string before = base::read_file(at("src/m.gguf")).value();
  fs::create_hard_link(at("src/m.gguf"), out("hard.gguf"));
  fs::create_symlink(at("src/m.gguf"), out("soft.gguf"));
  for (const std::string& path :
       {at("src/m.gguf"), out("hard.gguf"), out("soft.gguf"), at("out/../src/m.gguf"), at("src")}) {
    ExportOptions o = to(Format::kGguf, "");
    o.path = path;
    o.overwrite = Overwrite::kYes;
    const auto refused = run(o);
    ASSERT_FALSE(refused) << path;
    EXPECT_EQ(refused.error().code, Code::kRefused) << path;
  }
  EXPECT_EQ(base::read_file(at("src/m.gguf")).value(), before);
}

TEST_F(PublishTest, ExistingFilesStayUnlessToldOtherwise) {
  load_gguf(DType::kF32);
  std::ofstream(out("m.gguf")) << "precious";
  ExportOptions o = to(Format::kGguf, "m.gguf");
  EXPECT_EQ(run(o).error().code, Code::kConflict);
  EXPECT_EQ(base::read_file(o.path).value(), "precious");
  o.overwrite = Overwrite::kYes;
  EXPECT_TRUE(run(o));
  EXPECT_NE(base::read_file(o.path).value(), "precious");
  // A folder is replaced only if an export made it.
  fs::create_directory(out("hf"));
  std::ofstream(out("hf/precious.txt")) << "precious";
  ExportOptions f = to(Format::kSafetensors, "hf");
  EXPECT_EQ(run(f).error().code, Code::kConflict);
  f.overwrite = Overwrite::kYes;
  EXPECT_EQ(run(f).error().code, Code::kRefused);
  EXPECT_TRUE(fs::exists(out("hf/precious.txt")));
  f.path = out("again");
  EXPECT_TRUE(run(f));
  EXPECT_TRUE(run(f));
  EXPECT_TRUE(model::Model::load(out("again")));
  EXPECT_THAT(outputs(), UnorderedElementsAre("m.gguf", "m.gguf.expunge.json", "hf", "again"));
}

TEST_F(PublishTest, WhatTheJournalDoesNotRecordIsNotShipped) {
  load_gguf(DType::kF32);
  edit();
  model_ = std::make_shared<const model::Model>(
      model_->with({{kDown, model_->param(kDown).value() + 1e-6}}));
  const auto refused = run(to(Format::kGguf, "m.gguf"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kConflict);
  EXPECT_THAT(refused.error().message, HasSubstr(kDown));
  // Recorded but not applied is refused too.
  model_ = std::make_shared<const model::Model>(model_->base());
  EXPECT_EQ(run(to(Format::kGguf, "m.gguf")).error().code, Code::kConflict);
  EXPECT_TRUE(outputs().empty());
}

TEST_F(PublishTest, TypesThatCannotBeWrittenAreNamed) {
  load_gguf(DType::kF32);
  edit();
  const auto k = run(to(Format::kGguf, "m.gguf", DType::kQ4_K));
  ASSERT_FALSE(k);
  EXPECT_EQ(k.error().code, Code::kUnsupported);
  const auto q = run(to(Format::kSafetensors, "hf", DType::kQ8_0));
  ASSERT_FALSE(q);
  EXPECT_THAT(q.error().message, HasSubstr("Q8_0"));
  ExportOptions nowhere = to(Format::kGguf, "no/such/m.gguf");
  const auto missing = run(nowhere);
  ASSERT_FALSE(missing);
  EXPECT_FALSE(missing.error().hint.empty());
  EXPECT_TRUE(outputs().empty());
}

TEST_F(PublishTest, ValuesBeyondFloat16AreAnError) {
  load_gguf(DType::kF32);
  edit(1e3);
  const auto refused = run(to(Format::kSafetensors, "hf", DType::kF16));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kNumeric);
  EXPECT_TRUE(outputs().empty());
  EXPECT_TRUE(run(to(Format::kSafetensors, "hf", DType::kBF16)));
}

TEST_F(PublishTest, AFullDiskLeavesNothing) {
  load_gguf(DType::kF32);
  edit();
  for (const Format format : {Format::kGguf, Format::kSafetensors}) {
    const pid_t child = ::fork();
    if (child == 0) {
      // A limit on file sizes stands in for the full disk. The child's own LibTorch threads do not
      // survive a fork, so it may use one only.
      const tensor::SerialLibtorch serial;
      ::signal(SIGXFSZ, SIG_IGN);
      const rlimit limit{32 << 10, 32 << 10};
      ::setrlimit(RLIMIT_FSIZE, &limit);
      const auto e = run(to(format, "full"));
      ::_exit(!e && e.error().code == Code::kIo ? 0 : 1);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 0) << name(format);
    EXPECT_TRUE(outputs().empty()) << name(format);
  }
}

}  // namespace
}  // namespace expunge::publish
