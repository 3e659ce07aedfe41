#include "tensor/tensor_map.h"

namespace expunge::tensor {

namespace {

// Tensors as contiguous float32 and where their bytes are.
struct Listed {
  explicit Listed(const TensorMap& tensors) {
    for (const auto& [name, value] : tensors) {
      const Tensor& t = kept.emplace_back(value.contiguous());
      CHECK(t.scalar_type() == at::kFloat, "{} is not float32", name);
      list.push_back({name,
                      DType::kF32,
                      t.sizes().vec(),
                      {static_cast<const std::byte*>(t.data_ptr()), t.nbytes()}});
    }
  }
  std::vector<std::string_view> parts(std::string_view header) const {
    std::vector<std::string_view> parts{header};
    for (const NamedBytes& t : list)
      parts.emplace_back(reinterpret_cast<const char*>(t.bytes.data()), t.bytes.size());
    return parts;
  }
  std::vector<Tensor> kept;
  std::vector<NamedBytes> list;
};

template <class F>
base::Result<Image> parse(std::span<const std::byte> bytes, const F& values) {
  const ParsedFile file = TRY(parse_safetensors(bytes));
  Image result{{}, {}};
  result.metadata = TRY(safetensors_metadata(bytes));
  for (const TensorInfo& t : file.tensors) {
    if (!holds_weights(t.dtype))
      return base::fail(base::Code::kCorrupt,
                        fmt::format("{} has type {}, expected F32", t.name, info(t.dtype).name));
    result.tensors[t.name] = values(t);
  }
  return result;
}

Tensor copied(const TensorInfo& t) {
  Tensor values = at::empty(t.shape, f32());
  dequantise(t.dtype, t.bytes, {values.data_ptr<float>(), t.numel()});
  return values;
}

}  // namespace

std::string image(const TensorMap& tensors, const std::map<std::string, std::string>& metadata) {
  return safetensors_image(Listed(tensors).list, metadata);
}

base::Status write_image(const std::string& path, const TensorMap& tensors,
                         const std::map<std::string, std::string>& metadata) {
  const Listed listed(tensors);
  const std::string header = safetensors_header(listed.list, metadata);
  return base::write_file_atomic(path, listed.parts(header));
}

base::Status write_image(base::TwinFile& file, const TensorMap& tensors,
                         const std::map<std::string, std::string>& metadata) {
  const Listed listed(tensors);
  const std::string header = safetensors_header(listed.list, metadata);
  return file.write(listed.parts(header));
}

uint64_t image_bytes(const TensorMap& tensors, const std::map<std::string, std::string>& metadata) {
  const Listed listed(tensors);
  uint64_t bytes = safetensors_header(listed.list, metadata).size();
  for (const NamedBytes& t : listed.list) bytes += t.bytes.size();
  return bytes;
}

base::Result<Image> read_image(std::string_view text) {
  return parse(std::as_bytes(std::span(text)), copied);
}

base::Result<Image> map_image(const std::string& path) {
  const auto map = TRY(base::MappedFile::open(path));
  return parse(map->bytes(), [map](const TensorInfo& t) {
    const bool aligned = reinterpret_cast<uintptr_t>(t.bytes.data()) % alignof(float) == 0;
    if (t.dtype != DType::kF32 || !aligned || t.bytes.empty()) return copied(t);
    return view_of(map, t.bytes, t.shape);
  });
}

Tensor view_of(std::shared_ptr<const base::MappedFile> map, std::span<const std::byte> bytes,
               at::IntArrayRef shape) {
  auto* data = const_cast<std::byte*>(bytes.data());
  return at::from_blob(data, shape, [map = std::move(map)](void*) {}, f32());
}

Tensor to_tensor(const std::vector<int32_t>& numbers) {
  return at::tensor(at::ArrayRef<int32_t>(numbers)).to(at::kFloat);
}

std::vector<int32_t> to_numbers(const Tensor& t) {
  return {t.data_ptr<float>(), t.data_ptr<float>() + t.numel()};
}

}  // namespace expunge::tensor
