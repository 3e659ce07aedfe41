#include "model/model.h"

#include <filesystem>

#include "base/hash.h"
#include "model/names.h"
#include "tensor/kernels/pool.h"
#include "tensor/tensor_map.h"

namespace expunge::model {
namespace {

namespace fs = std::filesystem;
using base::Code;
using base::fail;
using base::Json;
using base::Result;

// Values of a tensor as float32, large ones in parallel, whole blocks a task.
Tensor read_values(const tensor::TensorInfo& t) {
  Tensor values = at::empty(t.shape, tensor::f32());
  const auto& type = tensor::info(t.dtype);
  const auto blocks = static_cast<int64_t>(t.numel() / type.block);
  float* out = values.data_ptr<float>();
  tensor::kernels::parallel_for(0, blocks, 4096, [&](int64_t begin, int64_t end) {
    const auto first = static_cast<size_t>(begin), n = static_cast<size_t>(end - begin);
    tensor::dequantise(t.dtype, t.bytes.subspan(first * type.bytes, n * type.bytes),
                       {out + first * type.block, n * type.block});
  });
  return values;
}

Result<Config> read_gguf_config(const tensor::TensorFile& file) {
  Config config = TRY(config_from_gguf(file.meta()));
  config.tied_embeddings = file.find("output.weight") == nullptr;
  if (const tensor::TensorInfo* t = file.find("rope_freqs.weight")) {
    const Tensor factors = read_values(*t);
    config.rope_scaling = TRY(rope_scaling_from_factors(
        config, {factors.data_ptr<float>(), static_cast<size_t>(factors.numel())}));
  }
  return config;
}

Result<Config> read_config(const std::string& path, const tensor::TensorFile& file) {
  for (const tensor::TensorInfo& t : file.tensors())
    if (t.name.ends_with(".bias"))
      return fail(Code::kUnsupported, fmt::format("{}: biases are not supported", t.name),
                  "the model is of another family");
  if (file.format() == tensor::Format::kGguf) return read_gguf_config(file);
  std::error_code ec;
  const fs::path dir = fs::is_directory(path, ec) ? fs::path(path) : fs::path(path).parent_path();
  const Json config = TRY(base::read_json((dir / "config.json").string()));
  const auto generation = base::read_json((dir / "generation_config.json").string());
  return config_from_hf(config, generation ? *generation : Json());
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
  source->config = TRY_AT(path, read_config(path, *source->file));
  return tensor::guarded([&]() -> Result<Model> {
    Weights::Map params;
    for (const TensorSpec& spec : expected_tensors(source->config)) {
      params[spec.name] = TRY_AT(path, read_param(*source, spec.name, spec.shape));
      // Else the file would stay in memory next to the weights read from it.
      for (const auto& map : source->file->maps()) map->release();
    }
    source->weights = Weights(std::move(params));
    return Model(source, source->weights);
  });
}

Result<Model> Model::from_weights(Config config, std::map<std::string, Tensor> weights) {
  TRY(validate(config));
  auto source = std::make_shared<Source>();
  source->config = std::move(config);
  Weights::Map params;
  for (const TensorSpec& spec : expected_tensors(source->config)) {
    const auto found = weights.find(spec.name);
    if (found == weights.end())
      return fail(Code::kNotFound, fmt::format("no tensor {}", spec.name));
    TRY(check_values(spec.name, found->second, spec.shape));
    params[spec.name] = std::make_shared<const Param>(found->second.clone());
  }
  source->weights = Weights(std::move(params));
  return Model(source, source->weights);
}

Result<std::shared_ptr<const Param>> Model::read_param(Source& source, const std::string& name,
                                                       const std::vector<int64_t>& shape) {
  const bool gguf = source.file->format() == tensor::Format::kGguf;
  const tensor::TensorInfo* stored =
      source.file->find(gguf ? name_to_gguf(name).value_or("") : name);
  if (!stored)
    return fail(Code::kCorrupt, fmt::format("tensor {} is missing", name),
                "the file is incomplete or of another family");
  tensor::TensorInfo info = *stored;
  const auto order = gguf ? gguf_row_order(source.config, name) : std::vector<int64_t>();
  if (!order.empty()) {
    if (info.shape.empty() || info.shape[0] != static_cast<int64_t>(order.size()))
      return fail(Code::kCorrupt,
                  fmt::format("{} has {} rows, expected {}", name,
                              info.shape.empty() ? 0 : info.shape[0], order.size()));
    source.reordered.push_back(
        std::make_shared<const std::vector<std::byte>>(permute_rows(info.bytes, order)));
    info.bytes = *source.reordered.back();
  }
  Tensor values = read_values(info);
  TRY(check_values(name, values, shape));
  std::optional<Blocks> blocks;
  if (info.dtype != tensor::DType::kF32 && info.shape.size() == 2)
    blocks = Blocks{info.dtype, info.bytes};
  return std::make_shared<const Param>(std::move(values), blocks);
}

Model Model::with(std::map<std::string, Tensor> values) const {
  return Model(source_, weights_.with(std::move(values)));
}

std::vector<std::string> Model::edited() const {
  std::vector<std::string> names;
  for (const auto& [name, param] : weights_)
    if (param->edited) names.push_back(name);
  return names;
}

Result<Model> Model::parked(const std::string& folder) const {
  CHECK(edited().empty(), "park the model first, then edit it");
  return tensor::guarded([&]() -> Result<Model> {
    auto source = std::make_shared<Source>(*source_);
    Weights::Map params;
    for (const auto& [name, param] : weights_) {
      const auto map = TRY(base::MappedFile::nameless(
          folder, {static_cast<const char*>(param->value.data_ptr()), param->value.nbytes()}));
      params[name] = std::make_shared<const Param>(
          tensor::view_of(map, map->bytes(), param->value.sizes()), param->blocks);
      source->parked.push_back(map);
    }
    source->weights = Weights(std::move(params));
    return Model(source, source->weights);
  });
}

void Model::rest() const {
  for (const auto& map : source_->parked) map->release();
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
  for (const auto& [name, param] : weights_) total += param->value.nbytes();
  return total;
}

}  // namespace expunge::model
