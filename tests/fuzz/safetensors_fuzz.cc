// tensor::parse_safetensors, its metadata, and dequantisation of what it accepts.
#include "fuzz/fuzz.h"
#include "fuzz/tensors.h"

namespace expunge::fuzz {

std::vector<std::string> seeds() {
  static const std::string bytes(64, '\x3c');
  const auto all = std::as_bytes(std::span(bytes));
  return {tensor::safetensors_image({{"a", tensor::DType::kF32, {2, 4}, all.first(32)},
                                     {"b", tensor::DType::kBF16, {3}, all.first(6)},
                                     {"c", tensor::DType::kF16, {1, 1, 5}, all.first(10)}},
                                    {{"format", "pt"}}),
          tensor::safetensors_image({{"w", tensor::DType::kF32, {}, all.first(4)}}, {})};
}
std::vector<std::string_view> dictionary() {
  return {"\"dtype\"",
          "\"F32\"",
          "\"F16\"",
          "\"BF16\"",
          "\"shape\"",
          "\"data_offsets\"",
          "__metadata__",
          "[",
          "]",
          "{",
          "}",
          "0",
          "18446744073709551615",
          "-1",
          "1e300",
          "null",
          "[0,0]",
          "4294967296"};
}

int fuzz_one(std::span<const std::byte> input) {
  const auto file = tensor::parse_safetensors(input);
  if (!file) return 0;
  read_tensors(input, *file);
  CHECK(tensor::safetensors_metadata(input).has_value());
  return 1;
}

}  // namespace expunge::fuzz
