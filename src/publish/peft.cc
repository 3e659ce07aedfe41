// The journal's edits as a LoRA adapter in PEFT's format, for the original weights: what an edit
// adds is u s, so lora_B = u, lora_A = s, and alpha = r makes PEFT's scale one. Adapters that did
// not begin at zero (FILA) are differences already, so no weight has to be stored.
#include <algorithm>

#include "base/files.h"
#include "base/hash.h"
#include "model/names.h"
#include "publish/parts.h"
#include "tensor/tensor_map.h"

namespace expunge::publish {
namespace {

using base::Code;
using base::fail;
using base::Json;
using base::Result;

// "model.layers.3.mlp.down_proj.weight" -> "model.layers.3.mlp.down_proj".
std::string module_of(const std::string& tensor) {
  return tensor.substr(0, tensor.rfind(".weight"));
}
std::string key_of(const std::string& tensor, std::string_view part) {
  return fmt::format("base_model.model.{}.lora_{}.weight", module_of(tensor), part);
}

tensor::TensorMap factors_of(const edit::Edit& edit) {
  tensor::TensorMap factors;
  for (const edit::Delta& delta : edit.deltas) {
    const auto& change = std::get<edit::LowRank>(delta.change);
    factors[key_of(delta.tensor, "A")] = change.s.contiguous();
    factors[key_of(delta.tensor, "B")] = change.u.contiguous();
  }
  return factors;
}

Json config_of(const model::Model& model, const edit::Edit& edit) {
  int64_t rank = 1;
  for (const edit::Delta& d : edit.deltas)
    rank = std::max(rank, std::get<edit::LowRank>(d.change).u.size(1));
  Json modules = Json::array(), ranks = Json::object();
  for (const edit::Delta& d : edit.deltas) {
    const std::string module = module_of(d.tensor);
    modules.push_back(module);
    // PEFT looks for ".<key>" at the end of a module's name.
    if (const int64_t own = std::get<edit::LowRank>(d.change).u.size(1); own != rank)
      ranks[module.substr(module.find('.') + 1)] = own;
  }
  const std::string& path = model.file()->path();
  return {{"peft_type", "LORA"},
          {"task_type", "CAUSAL_LM"},
          {"base_model_name_or_path", path.substr(path.find_last_of('/') + 1)},
          {"r", rank},
          {"lora_alpha", rank},
          {"rank_pattern", ranks},
          {"alpha_pattern", ranks},
          {"target_modules", modules},
          {"lora_dropout", 0.0},
          {"bias", "none"},
          {"fan_in_fan_out", false},
          {"use_rslora", false},
          {"use_dora", false},
          {"init_lora_weights", true},
          {"modules_to_save", nullptr},
          {"layers_to_transform", nullptr},
          {"inference_mode", true}};
}

}  // namespace

Result<edit::Edit> adapter_of(const model::Model& model, const journal::Journal& journal) {
  TRY(recorded_changes(model, journal));
  edit::Edit all;
  for (const edit::Edit& edit : TRY(journal.active_edits())) all = edit::sum(all, edit);
  if (all.deltas.empty())
    return fail(Code::kNotFound, "no edit is active, so there is no adapter",
                "forget something first, or export as gguf or safetensors");
  for (const edit::Delta& delta : all.deltas) {
    const bool layer = model::layer_of(delta.tensor).has_value();
    if (layer && std::holds_alternative<edit::LowRank>(delta.change)) continue;
    return fail(
        Code::kUnsupported,
        fmt::format("{} is changed as a whole, which no adapter of low rank holds", delta.tensor),
        "export as safetensors or gguf, or train with --lora");
  }
  return all;
}

base::Status write_adapter(const model::Model& model, const edit::Edit& edit,
                           const ExportOptions& options, const Stage& stage, Exported& e) {
  const tensor::TensorMap factors = factors_of(edit);
  const std::string file = stage.weights_file(options.format);
  TRY(base::write_file_atomic(file, tensor::image(factors, {{"format", "pt"}})));
  TRY(base::write_file_atomic(stage.path() + "/adapter_config.json",
                              base::dump_json(config_of(model, edit), 2) + "\n"));
  const std::string bytes = TRY(base::read_file(file));
  const auto written = TRY(tensor::read_image(bytes));
  for (const auto& [key, factor] : factors) {
    const auto it = written.tensors.find(key);
    if (it == written.tensors.end() || !at::equal(it->second, factor))
      return fail(Code::kCorrupt, fmt::format("the written {} is another", key),
                  "nothing was exported; is the disk or the memory failing?");
  }
  e.tensors = factors.size();
  e.size_bytes = bytes.size();
  e.sha256 = base::sha256_hex(std::string_view(bytes));
  for (const edit::Delta& delta : edit.deltas)
    e.edited.push_back({delta.tensor, tensor::DType::kF32, 0, 0, 0});
  return {};
}

}  // namespace expunge::publish
