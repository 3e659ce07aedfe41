#include "tensor/tensor_map.h"

namespace expunge::tensor {

std::string image(const TensorMap& tensors, const std::map<std::string, std::string>& metadata) {
  TensorMap packed;
  std::vector<NamedBytes> list;
  for (const auto& [name, value] : tensors) {
    const Tensor& t = packed[name] = value.contiguous();
    CHECK(t.scalar_type() == at::kFloat, "{} is not float32", name);
    list.push_back({name,
                    DType::kF32,
                    t.sizes().vec(),
                    {static_cast<const std::byte*>(t.data_ptr()), t.nbytes()}});
  }
  return safetensors_image(list, metadata);
}

base::Result<Image> read_image(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  const ParsedFile file = TRY(parse_safetensors(bytes));
  Image result{{}, {}};
  result.metadata = TRY(safetensors_metadata(bytes));
  for (const auto& t : file.tensors) {
    Tensor values = at::empty(t.shape, f32());
    dequantise(t.dtype, t.bytes, {values.data_ptr<float>(), t.numel()});
    result.tensors[t.name] = values;
  }
  return result;
}

Tensor to_tensor(const std::vector<int32_t>& numbers) {
  return at::tensor(at::ArrayRef<int32_t>(numbers)).to(at::kFloat);
}

std::vector<int32_t> to_numbers(const Tensor& t) {
  return {t.data_ptr<float>(), t.data_ptr<float>() + t.numel()};
}

}  // namespace expunge::tensor
