// The GGUF reader against sound and hostile files, and the rewriter byte for byte.
#include <gmock/gmock.h>

#include "gguf_builder.h"
#include "golden.h"
#include "tensor/tensor_file.h"

namespace expunge::tensor {
namespace {

using base::Code;
using testing::HasSubstr;
using tests::gguf_string;
using tests::GgufBuilder;
using tests::raw;

std::span<const std::byte> bytes_of(const std::string& s) { return std::as_bytes(std::span(s)); }

std::vector<float> ramp(size_t n) {
  std::vector<float> values(n);
  for (size_t i = 0; i < n; ++i) values[i] = 0.25F * static_cast<float>(i) - 3;
  return values;
}

GgufBuilder sound() {
  GgufBuilder b;
  b.text("general.architecture", "llama");
  b.u32("llama.block_count", 2);
  b.f32("llama.rope.freq_base", 10000);
  b.boolean("flag", true);
  b.texts("tokens", {"a", "", "héllo"});
  b.i32s("types", {1, -3});
  b.f32s("scores", {0.5F, -1});
  b.key("big", 10, raw<uint64_t>(UINT64_MAX));
  b.key("negative", 11, raw<int64_t>(-7));
  b.tensor("first", {3, 32}, ramp(96), DType::kQ4_1);  // 60 bytes, padded to 64
  b.tensor("second", {5}, ramp(5));
  b.tensor("third", {2, 2, 32}, ramp(128), DType::kQ8_0);
  return b;
}

base::Error error_of(const std::string& image) {
  const auto parsed = parse_gguf(bytes_of(image));
  EXPECT_FALSE(parsed);
  return parsed ? base::Error{} : parsed.error();
}

TEST(Gguf, ReadsKeysAndTensors) {
  const std::string image = sound().image();
  const auto file = parse_gguf(bytes_of(image));
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(file->meta.text("general.architecture").value(), "llama");
  EXPECT_EQ(file->meta.integer("llama.block_count").value(), 2);
  EXPECT_EQ(file->meta.real("llama.rope.freq_base").value(), 10000);
  EXPECT_TRUE(file->meta.flag_or("flag", false));
  EXPECT_THAT(file->meta.texts("tokens").value(), testing::ElementsAre("a", "", "héllo"));
  EXPECT_THAT(file->meta.integers("types").value(), testing::ElementsAre(1, -3));
  EXPECT_THAT(file->meta.reals("scores").value(), testing::ElementsAre(0.5, -1));
  EXPECT_EQ(file->meta.integer("negative").value(), -7);
  EXPECT_EQ(file->meta.integer("big").error().code, Code::kCorrupt);  // beyond int64
  EXPECT_EQ(file->meta.integer("absent").error().code, Code::kCorrupt);
  EXPECT_THAT(file->meta.integer("flag").error().message, HasSubstr("flag is not an integer"));
  ASSERT_EQ(file->tensors.size(), 3U);
  EXPECT_EQ(file->tensors[2].name, "third");
  EXPECT_EQ(file->tensors[2].shape, (std::vector<int64_t>{2, 2, 32}));
  EXPECT_EQ(file->tensors[2].dtype, DType::kQ8_0);
  std::vector<float> values(5);
  dequantise(DType::kF32, file->tensors[1].bytes, values);
  EXPECT_EQ(values, ramp(5));
}

// Formats that can only be read: their blocks are copied, never encoded.
TEST(Gguf, ReadsFormatsThatCannotBeWritten) {
  const tests::Golden golden("quant");
  const std::pair<DType, int64_t> kinds[] = {
      {DType::kIQ1_S, 256},  {DType::kIQ1_M, 256},   {DType::kIQ2_XXS, 256}, {DType::kIQ2_XS, 256},
      {DType::kIQ2_S, 256},  {DType::kIQ3_XXS, 256}, {DType::kIQ3_S, 256},   {DType::kIQ4_NL, 32},
      {DType::kIQ4_XS, 256}, {DType::kMXFP4, 32},    {DType::kTQ1_0, 256},   {DType::kTQ2_0, 256}};
  GgufBuilder b;
  for (const auto& [dtype, block] : kinds) {
    const std::string name(info(dtype).name);
    const auto blocks = golden.array<char>(name + ".blocks");
    const auto rows = static_cast<int64_t>(golden.floats(name + ".values").size()) / block;
    b.tensor(name, {rows, block}, dtype, {blocks.data(), blocks.size()});
  }
  const std::string image = b.image();
  const auto file = parse_gguf(bytes_of(image));
  ASSERT_TRUE(file) << file.error().message;
  ASSERT_EQ(file->tensors.size(), std::size(kinds));
  for (size_t i = 0; i < file->tensors.size(); ++i) {
    const TensorInfo& t = file->tensors[i];
    EXPECT_EQ(t.dtype, kinds[i].first);
    EXPECT_THAT(t.bytes, testing::ElementsAreArray(golden.bytes(t.name + ".blocks")));
  }
}

// A number that a writer stored as an integer is a number.
TEST(Gguf, RealsMayBeStoredAsIntegers) {
  GgufBuilder b;
  b.u32("llama.rope.freq_base", 500000);
  const std::string image = b.image();
  const auto file = parse_gguf(bytes_of(image));
  ASSERT_TRUE(file);
  EXPECT_EQ(file->meta.real_or("llama.rope.freq_base", 10000), 500000);
}

TEST(Gguf, EveryTruncationIsAnError) {
  const std::string image = sound().image();
  const size_t padding = 32 - 4 * 34 % 32;  // after the last tensor, four blocks of Q8_0
  for (size_t n = 0; n < image.size() - padding; ++n)
    EXPECT_FALSE(parse_gguf(bytes_of(image).first(n))) << n << " of " << image.size();
  EXPECT_TRUE(parse_gguf(bytes_of(image).first(image.size() - padding)));
}

// Every byte of the header set to a hostile value: an error or a file within its bounds.
TEST(Gguf, EveryFlippedHeaderByteIsSurvived) {
  const std::string image = sound().image();
  const size_t header = parse_gguf(bytes_of(image))->data_offset;
  for (size_t at = 0; at < header; ++at)
    for (const int flip : {0xff, 0x80, 0x01}) {
      std::string broken = image;
      broken[at] = static_cast<char>(broken[at] ^ flip);
      const auto parsed = parse_gguf(bytes_of(broken));
      if (!parsed) continue;
      for (const TensorInfo& t : parsed->tensors) {
        EXPECT_EQ(t.bytes.size(), t.numel() / info(t.dtype).block * info(t.dtype).bytes);
        const auto begin = reinterpret_cast<const char*>(t.bytes.data()) - broken.data();
        EXPECT_GE(begin, 0);
        EXPECT_LE(static_cast<size_t>(begin) + t.bytes.size(), broken.size());
      }
    }
}

TEST(Gguf, WrongMagicAndVersions) {
  GgufBuilder b = sound();
  b.magic = 0x04034b50;  // a zip
  EXPECT_THAT(error_of(b.image()).message, HasSubstr("not a GGUF"));
  for (const uint32_t version : {0U, 1U, 4U, 0x03000000U}) {
    GgufBuilder v = sound();
    v.version = version;
    EXPECT_EQ(error_of(v.image()).code, Code::kUnsupported) << version;
  }
}

TEST(Gguf, HugeLengths) {
  for (const uint64_t huge : {uint64_t{1} << 40, UINT64_MAX, UINT64_MAX - 7}) {
    GgufBuilder b;
    b.key("s", 8, raw(huge));
    EXPECT_EQ(error_of(b.image()).code, Code::kCorrupt);
    for (const uint32_t type : {0U, 4U, 8U, 12U}) {
      GgufBuilder a;
      a.key("a", 9, raw(type) + raw(huge));
      EXPECT_EQ(error_of(a.image()).code, Code::kCorrupt);
    }
  }
  std::string counts = sound().image();
  counts.replace(8, 8, raw(UINT64_MAX));
  EXPECT_THAT(error_of(counts).message, HasSubstr("beyond reason"));
  counts = sound().image();
  counts.replace(16, 8, raw(uint64_t{1} << 60));
  EXPECT_THAT(error_of(counts).message, HasSubstr("beyond reason"));
}

TEST(Gguf, HostileShapesAndOffsets) {
  const auto with = [](std::vector<int64_t> shape, uint32_t type, uint64_t offset) {
    GgufBuilder b;
    b.raw_tensor("bad", std::move(shape), type, offset);
    b.append_data(std::string(256, 1));
    return error_of(b.image());
  };
  EXPECT_EQ(with({0}, 0, 0).code, Code::kCorrupt);
  EXPECT_EQ(with({}, 0, 0).code, Code::kCorrupt);
  EXPECT_EQ(with({1, 1, 1, 1, 1}, 0, 0).code, Code::kCorrupt);
  EXPECT_EQ(with({INT64_MAX}, 0, 0).code, Code::kCorrupt);
  EXPECT_EQ(with({int64_t{1} << 32, int64_t{1} << 32}, 0, 0).code, Code::kCorrupt);  // product 0
  EXPECT_EQ(with({int64_t{1} << 39}, 0, 0).code, Code::kCorrupt);
  EXPECT_EQ(with({8}, 0, 16).code, Code::kCorrupt);  // not aligned
  EXPECT_EQ(with({8}, 0, 256).code, Code::kCorrupt);
  EXPECT_EQ(with({8}, 0, UINT64_MAX - 31).code, Code::kCorrupt);
  EXPECT_EQ(with({65}, 0, 0).code, Code::kCorrupt);     // one value too many
  EXPECT_EQ(with({2, 31}, 2, 0).code, Code::kCorrupt);  // not a whole block per row
  EXPECT_EQ(with({8}, 99, 0).code, Code::kUnsupported);
  EXPECT_THAT(with({8}, 40, 0).message, HasSubstr("tensor type 40"));                // NVFP4
  EXPECT_THAT(with({8}, 16, 0).message, HasSubstr("not a whole number of blocks"));  // IQ2_XXS
  EXPECT_EQ(with({4, 256}, 16, 0).code, Code::kCorrupt);  // 8 bytes more than there are
}

TEST(Gguf, OverlapsAndTwins) {
  GgufBuilder b;
  b.raw_tensor("a", {16}, 0, 0);
  b.raw_tensor("b", {16}, 0, 32);
  b.append_data(std::string(128, 1));
  EXPECT_THAT(error_of(b.image()).message, HasSubstr("a and b overlap"));
  GgufBuilder same;
  same.raw_tensor("a", {8}, 0, 0);
  same.raw_tensor("a", {8}, 0, 32);
  same.append_data(std::string(128, 1));
  EXPECT_THAT(error_of(same.image()).message, HasSubstr("two tensors are called a"));
  GgufBuilder keys;
  keys.u32("k", 1);
  keys.u32("k", 2);
  EXPECT_THAT(error_of(keys.image()).message, HasSubstr("key k appears twice"));
}

TEST(Gguf, BadAlignmentNestedArraysAndTypes) {
  for (const uint32_t alignment : {0U, 1U, 24U, 1U << 30}) {
    GgufBuilder b;
    b.u32("general.alignment", alignment);
    EXPECT_EQ(error_of(b.image()).code, Code::kCorrupt) << alignment;
  }
  GgufBuilder nested;
  nested.key("n", 9, raw<uint32_t>(9) + raw<uint64_t>(1));
  EXPECT_EQ(error_of(nested.image()).code, Code::kUnsupported);
  GgufBuilder type;
  type.key("t", 77, raw<uint64_t>(0));
  EXPECT_EQ(error_of(type.image()).code, Code::kCorrupt);
}

// --- the rewriter ------------------------------------------------------------------------------

class Rewrite : public testing::Test {
 protected:
  Rewrite() {
    tests::write_bytes(source_path_, sound().image());
    source_ = TensorFile::open(source_path_).value();
  }
  static std::string string_of(std::span<const std::byte> b) {
    return {reinterpret_cast<const char*>(b.data()), b.size()};
  }
  tests::TempDir dir_;
  std::string source_path_ = dir_ / "in.gguf", out_path_ = dir_ / "out.gguf";
  std::shared_ptr<const TensorFile> source_;
};

TEST_F(Rewrite, WithoutReplacementsTheFileIsTheSame) {
  ASSERT_TRUE(write_gguf(out_path_, *source_, {}));
  EXPECT_EQ(base::read_file(out_path_).value(), base::read_file(source_path_).value());
}

TEST_F(Rewrite, ReplacesOneTensorAndKeepsTheRestByteForByte) {
  std::string bytes(3 * 34, '\x11');
  ASSERT_TRUE(write_gguf(out_path_, *source_, {{"first", {DType::kQ8_0, bytes}}}));
  const auto out = TensorFile::open(out_path_).value();
  EXPECT_EQ(out->find("first")->dtype, DType::kQ8_0);
  EXPECT_EQ(string_of(out->find("first")->bytes), bytes);
  for (const char* name : {"second", "third"}) {
    EXPECT_EQ(string_of(out->find(name)->bytes), string_of(source_->find(name)->bytes));
    EXPECT_EQ(out->find(name)->dtype, source_->find(name)->dtype);
    EXPECT_EQ(out->find(name)->shape, source_->find(name)->shape);
  }
  // Everything up to the first tensor's type equals the source.
  const std::string before = base::read_file(source_path_).value(),
                    after = base::read_file(out_path_).value();
  const size_t table = before.find(gguf_string("first"));
  EXPECT_EQ(after.substr(0, table + 8 + 5 + 4 + 16), before.substr(0, table + 8 + 5 + 4 + 16));
}

TEST_F(Rewrite, RefusesReplacementsThatDoNotFit) {
  const auto code = [&](const std::string& name, Replacement r) {
    const auto status = write_gguf(out_path_, *source_, {{name, std::move(r)}});
    return status ? Code::kInternal : status.error().code;
  };
  EXPECT_EQ(code("fourth", {DType::kF32, "1234"}), Code::kNotFound);
  EXPECT_EQ(code("second", {DType::kF32, std::string(16, 0)}), Code::kInvalid);   // 5 values
  EXPECT_EQ(code("second", {DType::kQ4_1, std::string(20, 0)}), Code::kInvalid);  // no whole block
  EXPECT_FALSE(std::filesystem::exists(out_path_));
}

TEST_F(Rewrite, RefusesASafetensorsSource) {
  const float one = 1;
  tests::write_bytes(
      dir_ / "m.safetensors",
      safetensors_image({{"a", DType::kF32, {1}, std::as_bytes(std::span(&one, 1))}}, {}));
  const auto source = TensorFile::open(dir_ / "m.safetensors").value();
  EXPECT_FALSE(write_gguf(out_path_, *source, {}));
}

TEST_F(Rewrite, AnUnwritablePlaceIsAnError) {
  const auto status = write_gguf(dir_ / "no/such/folder.gguf", *source_, {});
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Code::kNotFound);
}

}  // namespace
}  // namespace expunge::tensor
