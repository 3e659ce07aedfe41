#include "model/stored.h"

namespace expunge::model {
namespace {

// Rows are apart in every type: a block never spans two.
tensor::TensorInfo rows_of(const tensor::TensorInfo& whole, int64_t first, int64_t n) {
  const size_t row = whole.bytes.size() / static_cast<size_t>(whole.shape[0]);
  tensor::TensorInfo part = whole;
  part.shape[0] = n;
  part.bytes = whole.bytes.subspan(static_cast<size_t>(first) * row, static_cast<size_t>(n) * row);
  return part;
}

}  // namespace

std::vector<StoredPart> parts_of(const Arch& arch, tensor::Format format,
                                 const tensor::TensorInfo& stored) {
  if (format == tensor::Format::kSafetensors) {
    if (!identify(arch, stored.name)) return {};
    return {{stored.name, stored}};
  }
  const auto names = names_from_gguf(arch, stored.name);
  if (names.size() == 1) return {{names[0], stored}};
  std::vector<int64_t> sizes;
  int64_t all = 0;
  for (const std::string& name : names)
    all += sizes.emplace_back(shape_of(arch, identify(arch, name)->role)[0]);
  if (stored.shape.empty() || stored.shape[0] != all) return {};
  std::vector<StoredPart> parts;
  int64_t first = 0;
  for (size_t i = 0; i < names.size(); first += sizes[i++])
    parts.push_back({names[i], rows_of(stored, first, sizes[i])});
  return parts;
}

std::optional<tensor::TensorInfo> find_stored(const tensor::TensorFile& file, const Arch& arch,
                                              const std::string& name) {
  const bool gguf = file.format() == tensor::Format::kGguf;
  if (const auto* alone = file.find(gguf ? name_to_gguf(arch, name).value_or("") : name))
    return *alone;
  const tensor::TensorInfo* whole = gguf ? file.find(fused_name(arch, name).value_or("")) : nullptr;
  if (!whole) return std::nullopt;
  for (const StoredPart& part : parts_of(arch, file.format(), *whole))
    if (part.name == name) return part.info;
  return std::nullopt;
}

}  // namespace expunge::model
