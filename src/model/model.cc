#include "model/model.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "base/hash.h"
#include "model/family.h"
#include "model/stored.h"
#include "tensor/tensor_map.h"

namespace expunge::model {
namespace {

namespace fs = std::filesystem;
using base::Code;
using base::fail;
using base::Json;
using base::Result;

base::Status check_type(std::string_view name, tensor::DType dtype) {
  if (tensor::holds_weights(dtype)) return {};
  return fail(Code::kUnsupported, fmt::format("{} has type {}", name, tensor::info(dtype).name),
              "a weight of this type is not computed with; give the model in F32, F16 or BF16");
}

Result<Arch> read_gguf_arch(const tensor::TensorFile& file) {
  Arch arch = TRY(arch_from_gguf(file.meta()));
  arch.tied_embeddings = file.find("output.weight") == nullptr;
  // The embedding may have more rows than there are tokens.
  if (const tensor::TensorInfo* t = file.find("token_embd.weight"); t && t->shape.size() == 2)
    arch.vocab_size = std::max(arch.vocab_size, t->shape[0]);
  if (const tensor::TensorInfo* t = file.find("rope_freqs.weight"); t && !arch.ropes.empty()) {
    TRY(check_type("rope_freqs.weight", t->dtype));
    const Tensor factors = tensor::dequantised(t->dtype, t->bytes, t->shape);
    if (factors.numel() != arch.rotary() / 2)
      return fail(Code::kCorrupt, fmt::format("rope_freqs.weight has {} factors, expected {}",
                                              factors.numel(), arch.rotary() / 2));
    arch.ropes[0] = TRY(rope_from_factors(
        arch.ropes[0], {factors.data_ptr<float>(), static_cast<size_t>(factors.numel())}));
  }
  return arch;
}

Result<Arch> read_arch(const std::string& path, const tensor::TensorFile& file) {
  if (file.format() == tensor::Format::kGguf) return read_gguf_arch(file);
  std::error_code ec;
  const fs::path dir = fs::is_directory(path, ec) ? fs::path(path) : fs::path(path).parent_path();
  const Json config = TRY(base::read_json((dir / "config.json").string()));
  const auto generation = base::read_json((dir / "generation_config.json").string());
  return arch_from_hf(config, generation ? *generation : Json());
}

// Buffers that older checkpoints keep: angles, and the causal mask of GPT-2 and GPT-Neo.
constexpr std::string_view kBuffers[] = {".rotary_emb.inv_freq", ".attn_rot_embd.weight",
                                         ".masked_bias", ".attn.bias", ".attn.attention.bias"};

// What stands in a layer, and a bias anywhere, would be left out of the computation if the
// architecture does not name it.
base::Status refuse_unread(const Arch& arch, const tensor::TensorFile& file) {
  const bool gguf = file.format() == tensor::Format::kGguf;
  const std::string_view layers = gguf ? kGgufLayerPrefix : find_family(arch.family)->layer_prefix;
  std::set<std::string> expected;
  for (const TensorSpec& spec : expected_tensors(arch)) expected.insert(spec.name);
  for (const tensor::TensorInfo& t : file.tensors()) {
    std::vector<std::string> names;
    if (gguf) names = names_from_gguf(arch, t.name);
    if (!gguf && identify(arch, t.name)) names = {t.name};
    const auto read = [&](const std::string& name) { return expected.contains(name); };
    if (!names.empty() && std::ranges::all_of(names, read)) continue;
    const bool bias = t.name.ends_with(".bias") && (gguf || !names.empty());
    if (!bias && !t.name.starts_with(layers)) continue;
    const auto is_buffer = [&](std::string_view end) { return t.name.ends_with(end); };
    if (!tensor::holds_weights(t.dtype) || std::ranges::any_of(kBuffers, is_buffer)) continue;
    return fail(Code::kUnsupported, fmt::format("{}: this tensor is not supported", t.name),
                fmt::format("a {} of {} layers has none there; the model is of another family",
                            arch.family, arch.n_layers));
  }
  return {};
}

std::vector<std::byte> permute_rows(std::span<const std::byte> bytes,
                                    const std::vector<int64_t>& order) {
  const size_t row = bytes.size() / order.size();
  std::vector<std::byte> result(bytes.size());
  for (size_t r = 0; r < order.size(); ++r)
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(static_cast<size_t>(order[r]) * row),
                row, result.begin() + static_cast<std::ptrdiff_t>(r * row));
  return result;
}

base::Status check_values(const std::string& name, const Tensor& values,
                          const std::vector<int64_t>& shape) {
  if (values.sizes() != at::IntArrayRef(shape))
    return fail(Code::kCorrupt, fmt::format("{} has shape [{}], expected [{}]", name,
                                            fmt::join(values.sizes(), ","), fmt::join(shape, ",")));
  if (!tensor::all_finite(values))
    return fail(Code::kCorrupt, fmt::format("{} holds NaN or infinity", name),
                "the file is damaged; download it again");
  return {};
}

}  // namespace

Result<Model> Model::load(const std::string& path) {
  auto source = std::make_shared<Source>();
  source->file = TRY(tensor::TensorFile::open(path));
  source->arch = TRY_AT(path, read_arch(path, *source->file));
  TRY_AT(path, refuse_unread(source->arch, *source->file));
  return tensor::guarded([&]() -> Result<Model> {
    Weights::Map params;
    for (const TensorSpec& spec : expected_tensors(source->arch)) {
      params[spec.name] = TRY_AT(path, read_param(*source, spec.name, spec.shape));
      // Else the file would stay in memory next to the weights read from it.
      for (const auto& map : source->file->maps()) map->release();
    }
    source->weights = Weights(std::move(params));
    return Model(source, source->weights);
  });
}

Result<Model> Model::from_weights(Arch arch, std::map<std::string, Tensor> weights) {
  TRY(validate(arch));
  auto source = std::make_shared<Source>();
  source->arch = std::move(arch);
  Weights::Map params;
  for (const TensorSpec& spec : expected_tensors(source->arch)) {
    const auto found = weights.find(spec.name);
    if (found == weights.end())
      return fail(Code::kNotFound, fmt::format("no tensor {}", spec.name));
    TRY(check_values(spec.name, found->second, spec.shape));
    params[spec.name] = std::make_shared<const Param>(found->second.clone());
  }
  source->weights = Weights(std::move(params));
  return Model(source, source->weights);
}

Result<std::shared_ptr<const Param>> Model::read_param(const Source& source,
                                                       const std::string& name,
                                                       const std::vector<int64_t>& shape) {
  const auto found = find_stored(*source.file, source.arch, name);
  if (!found)
    return fail(Code::kCorrupt, fmt::format("tensor {} is missing", name),
                "the file is incomplete or of another family");
  tensor::TensorInfo info = *found;
  const bool gguf = source.file->format() == tensor::Format::kGguf;
  TRY(check_type(name, info.dtype));
  if (info.shape != shape)
    return fail(Code::kCorrupt, fmt::format("{} has shape [{}], expected [{}]", name,
                                            fmt::join(info.shape, ","), fmt::join(shape, ",")));
  std::shared_ptr<const void> keeper = source.file;
  if (const auto order = gguf ? gguf_row_order(source.arch, name) : std::vector<int64_t>();
      !order.empty()) {
    const auto rows =
        std::make_shared<const std::vector<std::byte>>(permute_rows(info.bytes, order));
    info.bytes = *rows;
    keeper = rows;
  }
  if (!tensor::all_finite(info.dtype, info.bytes))
    return fail(Code::kCorrupt, fmt::format("{} holds NaN or infinity", name),
                "the file is damaged; download it again");
  const bool aligned = reinterpret_cast<uintptr_t>(info.bytes.data()) % alignof(float) == 0;
  if (shape.size() == 2 && (info.dtype != tensor::DType::kF32 || aligned))
    return std::make_shared<const Param>(
        tensor::StoredMatrix{info.dtype, info.bytes, shape[0], shape[1]}, std::move(keeper));
  Tensor values = tensor::dequantised(info.dtype, info.bytes, info.shape);
  if (!gguf) values += checkpoint_offset(source.arch, name);
  return std::make_shared<const Param>(std::move(values));
}

Model Model::with(std::map<std::string, Tensor> values) const {
  return Model(source_, weights_.with(std::move(values)));
}

Model Model::speaking(const std::function<bool(int32_t)>& is_token,
                      std::vector<int32_t> line_ends) const {
  auto source = std::make_shared<Source>(*source_);
  source->arch.unspoken.clear();
  for (int64_t id = 0; id < source->arch.vocab_size; ++id)
    if (!is_token(static_cast<int32_t>(id)))
      source->arch.unspoken.push_back(static_cast<int32_t>(id));
  const std::vector<int32_t> ends = source->arch.text_end_ids();
  source->arch.n_line_ends = line_ends.size();
  source->arch.end_ids = std::move(line_ends);
  source->arch.end_ids.insert(source->arch.end_ids.end(), ends.begin(), ends.end());
  return Model(std::move(source), weights_);
}

Model Model::writing_text() const {
  auto source = std::make_shared<Source>(*source_);
  source->arch.end_ids = source->arch.text_end_ids();
  source->arch.n_line_ends = 0;
  return Model(std::move(source), weights_);
}

Model Model::computing(tensor::Activations activations) const {
  auto source = std::make_shared<Source>(*source_);
  source->activations = activations;
  return Model(std::move(source), weights_);
}

Result<std::string> Model::answer_key() const {
  const std::string hash = TRY(file_hash());
  return activations() == tensor::Activations::kFloat ? hash : hash + " q8";
}

std::vector<std::string> Model::edited() const {
  std::vector<std::string> names;
  for (const auto& [name, param] : weights_)
    if (param->edited()) names.push_back(name);
  return names;
}

Result<std::string> Model::file_hash() const {
  if (!source_->file) return source_->weights.hash();
  base::Sha256 hash;
  for (const auto& map : source_->file->maps()) {
    hash.update(map->bytes());
    map->release();
  }
  return hash.hex();
}

size_t Model::weight_bytes() const {
  size_t total = 0;
  for (const auto& [name, param] : weights_)
    total += static_cast<size_t>(param->numel()) * sizeof(float);
  return total;
}

}  // namespace expunge::model
