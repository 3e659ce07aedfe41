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

std::span<const std::byte> bytes_of(const Tensor& t) {
  return {static_cast<const std::byte*>(t.data_ptr()), t.nbytes()};
}

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

}  // namespace

Result<std::shared_ptr<Model>> Model::load(const std::string& path) {
  auto model = std::shared_ptr<Model>(new Model);
  model->file_ = TRY(tensor::TensorFile::open(path));
  model->config_ = TRY_AT(path, read_config(path, *model->file_));
  return tensor::guarded([&]() -> Result<std::shared_ptr<Model>> {
    for (const TensorSpec& spec : expected_tensors(model->config_)) {
      TRY_AT(path, model->load_param(spec.name, spec.shape));
      // Else the file would stay in memory beside the weights made of it.
      for (const auto& map : model->file_->maps()) map->release();
    }
    return model;
  });
}

Result<std::shared_ptr<Model>> Model::from_weights(Config config,
                                                   std::map<std::string, Tensor> weights) {
  TRY(validate(config));
  auto model = std::shared_ptr<Model>(new Model);
  model->config_ = std::move(config);
  model->generated_ = std::move(weights);
  for (const TensorSpec& spec : expected_tensors(model->config_))
    TRY(model->load_param(spec.name, spec.shape));
  return model;
}

base::Status Model::load_param(const std::string& name, const std::vector<int64_t>& shape) {
  Param param = TRY(read_param(name));
  if (param.value.sizes() != at::IntArrayRef(shape))
    return fail(Code::kCorrupt,
                fmt::format("{} has shape [{}], expected [{}]", name,
                            fmt::join(param.value.sizes(), ","), fmt::join(shape, ",")));
  if (!tensor::all_finite(param.value))
    return fail(Code::kCorrupt, fmt::format("{} holds NaN or infinity", name),
                "the file is damaged; download it again");
  params_[name] = std::move(param);
  return {};
}

Result<Param> Model::read_param(std::string_view name) const {
  if (!file_) {
    const auto found = generated_.find(std::string(name));
    if (found == generated_.end()) return fail(Code::kNotFound, fmt::format("no tensor {}", name));
    return Param{found->second.clone(), std::nullopt};
  }
  const bool gguf = file_->format() == tensor::Format::kGguf;
  const tensor::TensorInfo* stored =
      file_->find(gguf ? name_to_gguf(name).value_or("") : std::string(name));
  if (!stored)
    return fail(Code::kCorrupt, fmt::format("tensor {} is missing", name),
                "the file is incomplete or of another family");
  tensor::TensorInfo info = *stored;
  const std::vector<int64_t> order = gguf ? gguf_row_order(config_, name) : std::vector<int64_t>();
  if (!order.empty()) {
    if (info.shape.empty() || info.shape[0] != static_cast<int64_t>(order.size()))
      return fail(Code::kCorrupt,
                  fmt::format("{} has {} rows, expected {}", name,
                              info.shape.empty() ? 0 : info.shape[0], order.size()));
    auto& bytes = permuted_[std::string(name)];
    if (bytes.empty()) bytes = permute_rows(info.bytes, order);
    info.bytes = bytes;
  }
  Param param{read_values(info), std::nullopt};
  if (info.dtype != tensor::DType::kF32 && info.shape.size() == 2)
    param.blocks = Blocks{info.dtype, info.bytes};
  return param;
}

const Param& Model::param(std::string_view name) const {
  const auto found = params_.find(std::string(name));
  CHECK(found != params_.end(), "no tensor {}", name);
  return found->second;
}

void Model::set_weight(std::string_view name, Tensor value) {
  Param& p = params_.at(std::string(name));
  CHECK(p.value.sizes() == value.sizes(), "{}", name);
  p = {value.contiguous(), std::nullopt, true};
  hashes_.erase(std::string(name));
}

void Model::set_param(std::string_view name, Param param) {
  hashes_.erase(std::string(name));
  params_.at(std::string(name)) = std::move(param);
}

Result<Tensor> Model::base_weight(std::string_view name) const {
  return TRY(read_param(name)).value;
}

base::Status Model::restore(std::string_view name) {
  params_.at(std::string(name)) = TRY(read_param(name));
  hashes_.erase(std::string(name));
  return {};
}

std::vector<std::string> Model::changed() const {
  std::vector<std::string> names;
  for (const auto& [name, param] : params_)
    if (param.changed) names.push_back(name);
  return names;
}

base::Status Model::park(const std::string& folder) {
  return tensor::guarded([&]() -> base::Status {
    for (auto& [name, param] : params_) {
      const auto bytes = bytes_of(param.value);
      const auto map = TRY(base::MappedFile::nameless(
          folder, {reinterpret_cast<const char*>(bytes.data()), bytes.size()}));
      param.value = tensor::view_of(map, map->bytes(), param.value.sizes());
      parked_.push_back(map);
    }
    return {};
  });
}

void Model::rest() const {
  for (const auto& map : parked_) map->release();
}

std::string Model::weights_hash() const {
  std::vector<const std::string*> missing;
  for (const auto& [name, param] : params_)
    if (!hashes_.contains(name)) missing.push_back(&name);
  std::vector<std::string> fresh(missing.size());
  const auto n_missing = static_cast<int64_t>(missing.size());
  tensor::kernels::parallel_for(0, n_missing, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const auto k = static_cast<size_t>(i);
      fresh[k] = base::sha256_hex(bytes_of(params_.at(*missing[k]).value));
    }
  });
  for (size_t i = 0; i < missing.size(); ++i) hashes_[*missing[i]] = fresh[i];
  base::Sha256 all;
  for (const auto& [name, hash] : hashes_) all.update(name + " " + hash + "\n");
  return all.hex();
}

Result<std::string> Model::file_hash() const {
  if (!file_) return weights_hash();
  base::Sha256 hash;
  for (const auto& map : file_->maps()) {
    hash.update(map->bytes());
    map->release();
  }
  return hash.hex();
}

size_t Model::weight_bytes() const {
  size_t total = 0;
  for (const auto& [name, param] : params_) total += param.value.nbytes();
  return total;
}

}  // namespace expunge::model
