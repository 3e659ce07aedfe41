// safetensors, shards, and how the formats are recognised.
#include "tensor/tensor_file.h"

#include <gmock/gmock.h>

#include "gguf_builder.h"
#include "golden.h"

namespace expunge::tensor {
namespace {

using base::Code;
using testing::HasSubstr;
using tests::raw;

std::span<const std::byte> bytes_of(const std::string& s) { return std::as_bytes(std::span(s)); }

std::string image(const std::string& header, size_t data_bytes) {
  return raw<uint64_t>(header.size()) + header + std::string(data_bytes, 1);
}
base::Error error_of(const std::string& file) {
  const auto parsed = parse_safetensors(bytes_of(file));
  EXPECT_FALSE(parsed);
  return parsed ? base::Error{} : parsed.error();
}
std::string entry(const std::string& name, const std::string& dtype, const std::string& shape,
                  const std::string& offsets) {
  return "\"" + name + R"(":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" +
         offsets + "}";
}

std::string two_tensors() {
  static const std::vector<float> a = {1, 2, 3, 4, 5, 6}, b = {-1};
  return safetensors_image({{"a", DType::kF32, {2, 3}, std::as_bytes(std::span(a))},
                            {"b", DType::kF32, {1}, std::as_bytes(std::span(b))}},
                           {{"format", "pt"}});
}

TEST(Safetensors, WhatIsWrittenIsReadAgain) {
  const std::string file = two_tensors();
  const auto parsed = parse_safetensors(bytes_of(file));
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->data_offset % 8, 0U);
  ASSERT_EQ(parsed->tensors.size(), 2U);
  EXPECT_EQ(parsed->tensors[0].shape, (std::vector<int64_t>{2, 3}));
  std::vector<float> values(6);
  dequantise(DType::kF32, parsed->tensors[0].bytes, values);
  EXPECT_EQ(values, (std::vector<float>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(safetensors_metadata(bytes_of(file)).value()["format"], "pt");
}

TEST(Safetensors, EveryTruncationIsAnError) {
  const std::string file = two_tensors();
  for (size_t n = 0; n < file.size(); ++n)
    EXPECT_FALSE(parse_safetensors(bytes_of(file).first(n))) << n;
}

TEST(Safetensors, EveryFlippedByteIsSurvived) {
  const std::string file = two_tensors();
  for (size_t at = 0; at < file.size(); ++at)
    for (const int flip : {0xff, 0x80, 0x10, 0x01}) {
      std::string broken = file;
      broken[at] = static_cast<char>(broken[at] ^ flip);
      const auto parsed = parse_safetensors(bytes_of(broken));
      if (!parsed) continue;
      for (const TensorInfo& t : parsed->tensors)
        EXPECT_EQ(t.bytes.size(), t.numel() * info(t.dtype).bytes);
    }
}

// Tensors that no model computes with (position_ids, masks) do not keep a file from being read.
TEST(Safetensors, TensorsOfEveryTypeAreCarried) {
  for (const auto& [name, bytes] : std::vector<std::pair<std::string, int>>{{"F64", 8},
                                                                            {"I64", 8},
                                                                            {"I32", 4},
                                                                            {"I16", 2},
                                                                            {"I8", 1},
                                                                            {"U64", 8},
                                                                            {"U32", 4},
                                                                            {"U16", 2},
                                                                            {"U8", 1},
                                                                            {"C64", 8},
                                                                            {"BOOL", 1},
                                                                            {"F8_E4M3", 1},
                                                                            {"F8_E5M2", 1},
                                                                            {"F8_E8M0", 1}}) {
    const std::string offsets = fmt::format("[0,{}]", 3 * bytes);
    const std::string file =
        image("{" + entry("a", name, "[3]", offsets) + "}", static_cast<size_t>(3 * bytes));
    const auto parsed = parse_safetensors(bytes_of(file));
    ASSERT_TRUE(parsed) << parsed.error().message;
    EXPECT_EQ(info(parsed->tensors[0].dtype).name, name);
    EXPECT_FALSE(holds_weights(parsed->tensors[0].dtype)) << name;
    const auto again = parse_safetensors(bytes_of(
        safetensors_image({{"a", parsed->tensors[0].dtype, {3}, parsed->tensors[0].bytes}}, {})));
    EXPECT_EQ(again->tensors[0].dtype, parsed->tensors[0].dtype) << name;
  }
  EXPECT_EQ(dtype_from_ggml(kNotInGguf), std::nullopt);
}

TEST(Safetensors, HostileHeaders) {
  EXPECT_EQ(error_of(raw(UINT64_MAX) + "{}").code, Code::kCorrupt);
  EXPECT_EQ(error_of(raw<uint64_t>(200'000'000) + "{}").code, Code::kCorrupt);
  EXPECT_EQ(error_of("").code, Code::kCorrupt);
  EXPECT_EQ(error_of(image("[1]", 0)).code, Code::kCorrupt);
  EXPECT_EQ(error_of(image("{", 0)).code, Code::kInvalid);
  EXPECT_EQ(error_of(image("{\"a\":" + std::string(5000, '['), 0)).code, Code::kInvalid);
  EXPECT_EQ(error_of(image("{\"a\":1}", 8)).code, Code::kCorrupt);
}

TEST(Safetensors, HostileEntries) {
  const auto code = [](const std::string& e) { return error_of(image("{" + e + "}", 64)).code; };
  EXPECT_EQ(code(entry("a", "Q4_1", "[32]", "[0,20]")), Code::kUnsupported);
  EXPECT_EQ(code(entry("a", "f32", "[16]", "[0,64]")), Code::kUnsupported);
  EXPECT_EQ(code(entry("a", "I64", "[2]", "[0,8]")), Code::kCorrupt);
  EXPECT_EQ(code(entry("a", "F32", "[2]", "[0,4]")), Code::kCorrupt);
  EXPECT_EQ(code(entry("a", "F32", "[1]", "[4,0]")), Code::kCorrupt);
  EXPECT_EQ(code(entry("a", "F32", "[1]", "[64,68]")), Code::kCorrupt);
  EXPECT_EQ(code(entry("a", "F32", "[-1]", "[0,4]")), Code::kCorrupt);
  EXPECT_EQ(code(entry("a", "F32", "[1.5]", "[0,4]")), Code::kCorrupt);
  EXPECT_EQ(code(entry("a", "F32", "[1]", "[-4,0]")), Code::kCorrupt);
  EXPECT_EQ(code(entry("a", "F32", "[1]", "[0]")), Code::kCorrupt);
  EXPECT_EQ(code(entry("a", "F32", "[1]", "\"0,4\"")), Code::kCorrupt);
  EXPECT_EQ(code(entry("a", "F32", "[1099511627776,1099511627776]", "[0,4]")), Code::kCorrupt);
  EXPECT_EQ(code(entry("a", "F32", "[4611686018427387904,4]", "[0,0]")), Code::kCorrupt);
  EXPECT_EQ(code(R"("a":{"dtype":5,"shape":[1],"data_offsets":[0,4]})"), Code::kCorrupt);
  EXPECT_EQ(code(entry("a", "F32", "[2]", "[0,8]") + "," + entry("b", "F32", "[2]", "[4,12]")),
            Code::kCorrupt);  // overlap
  EXPECT_EQ(code(entry("a", "F32", "[2]", "[0,8]") + "," + entry("a", "F32", "[2]", "[8,16]")),
            Code::kCorrupt);  // twins
}

// --- files -------------------------------------------------------------------------------------

TEST(TensorFile, TellsFormatsApartByTheirContent) {
  const tests::TempDir dir;
  tests::GgufBuilder b;
  // '{' is 123: the ninth byte of a GGUF with so many tensors is that of a safetensors header.
  for (int i = 0; i < 123; ++i)
    b.tensor("t" + std::to_string(i), {1}, std::vector<float>{static_cast<float>(i)});
  tests::write_bytes(dir / "a.bin", b.image());
  tests::write_bytes(dir / "b.bin", two_tensors());
  const auto gguf = TensorFile::open(dir / "a.bin");
  ASSERT_TRUE(gguf) << gguf.error().message;
  EXPECT_EQ((*gguf)->format(), Format::kGguf);
  EXPECT_EQ((*gguf)->tensors().size(), 123U);
  const auto safetensors = TensorFile::open(dir / "b.bin");
  ASSERT_TRUE(safetensors);
  EXPECT_EQ((*safetensors)->format(), Format::kSafetensors);
}

TEST(TensorFile, OpensShardsAndRefusesBrokenOnes) {
  const tests::TempDir dir;
  const float one = 1, two = 2;
  const auto shard = [](const char* name, const float& v) {
    return safetensors_image({{name, DType::kF32, {1}, std::as_bytes(std::span(&v, 1))}}, {});
  };
  const std::string index = dir / "model.safetensors.index.json";
  tests::write_bytes(dir / "1.safetensors", shard("a", one));
  tests::write_bytes(dir / "2.safetensors", shard("b", two));
  tests::write_bytes(index, R"({"weight_map":{"a":"1.safetensors","b":"2.safetensors"}})");
  const auto file = TensorFile::open(dir.path());
  ASSERT_TRUE(file) << file.error().message;
  ASSERT_NE((*file)->find("b"), nullptr);
  EXPECT_EQ((*file)->maps().size(), 2U);

  tests::write_bytes(dir / "2.safetensors", shard("a", two));
  EXPECT_THAT(TensorFile::open(dir.path()).error().message, HasSubstr("a is in two shards"));
  std::filesystem::remove(dir / "2.safetensors");
  EXPECT_EQ(TensorFile::open(dir.path()).error().code, Code::kNotFound);
  for (const char* bad : {R"({"weight_map":{"a":"../1.safetensors"}})", R"({"weight_map":[]})",
                          R"({"weight_map":{"a":7}})", R"({"weight_map":{}})", "[]"}) {
    tests::write_bytes(index, bad);
    EXPECT_EQ(TensorFile::open(dir.path()).error().code, Code::kCorrupt) << bad;
  }
}

TEST(TensorFile, MissingEmptyAndCircularPaths) {
  const tests::TempDir dir;
  EXPECT_EQ(TensorFile::open(dir / "nothing.gguf").error().code, Code::kNotFound);
  EXPECT_EQ(TensorFile::open(dir.path()).error().code, Code::kNotFound);  // an empty folder
  tests::write_bytes(dir / "empty", "");
  EXPECT_EQ(TensorFile::open(dir / "empty").error().code, Code::kCorrupt);
  std::filesystem::create_symlink("circle", dir / "circle");
  EXPECT_EQ(TensorFile::open(dir / "circle").error().code, Code::kIo);
  EXPECT_FALSE(TensorFile::open(dir / std::string(5000, 'x')));  // longer than a path may be
  EXPECT_FALSE(TensorFile::open(""));
}

}  // namespace
}  // namespace expunge::tensor
