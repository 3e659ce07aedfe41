// The journal's edits as a LoRA adapter in PEFT's format, for the original weights: what an edit
// adds is u s, so lora_B = u, lora_A = s, and alpha = r makes PEFT's scale one. Adapters that did
// not begin at zero (FILA) are differences already, so no weight is stored.
#include <algorithm>
#include <filesystem>

#include "base/files.h"
#include "base/hash.h"
#include "model/role.h"
#include "publish/parts.h"
#include "tensor/tensor_map.h"

namespace expunge::publish {
namespace {

using base::Code;
using base::fail;
using base::Json;
using base::Result;

constexpr std::string_view kBefore = "base_model.model.", kAfterA = ".lora_A.weight";
constexpr const char* kConfig = "/adapter_config.json";

// "model.layers.3.mlp.down_proj.weight" -> "model.layers.3.mlp.down_proj".
std::string module_of(const std::string& tensor) {
  return tensor.substr(0, tensor.rfind(".weight"));
}
std::string key_of(const std::string& module, std::string_view part) {
  return fmt::format("{}{}.lora_{}.weight", kBefore, module, part);
}

tensor::TensorMap factors_of(const edit::Edit& edit) {
  tensor::TensorMap factors;
  for (const edit::Delta& delta : edit.deltas) {
    const auto& change = std::get<edit::LowRank>(delta.change);
    factors[key_of(module_of(delta.tensor), "A")] = change.s.contiguous();
    factors[key_of(module_of(delta.tensor), "B")] = change.u.contiguous();
  }
  return factors;
}

// The file's or folder's name; in a Hugging Face cache the model's id.
std::string name_of(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  const std::filesystem::path p(path);
  const std::string cached = p.parent_path().parent_path().filename().string();
  if (p.parent_path().filename() != "snapshots" || !cached.starts_with("models--"))
    return p.filename().string();
  std::string id = cached.substr(std::string_view("models--").size());
  if (const size_t at = id.find("--"); at != id.npos) id.replace(at, 2, 1, '/');
  return id;
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
  return {{"peft_type", "LORA"},
          {"task_type", "CAUSAL_LM"},
          {"base_model_name_or_path", name_of(model.file()->path())},
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

// A module's own number by PEFT's rule, else the whole adapter's; 0 if there is none.
int64_t number_of(const Json& config, const char* whole, const char* own,
                  const std::string& module) {
  if (const auto patterns = config.find(own); patterns != config.end() && patterns->is_object())
    for (const auto& [key, value] : patterns->items())
      if (value.is_number_integer() && module.ends_with(fmt::format(".{}", key)))
        return value.get<int64_t>();
  const auto value = config.find(whole);
  return value != config.end() && value->is_number_integer() ? value->get<int64_t>() : 0;
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
    const bool layer = model::layer_of(model.arch(), delta.tensor).has_value();
    if (layer && std::holds_alternative<edit::LowRank>(delta.change)) continue;
    return fail(Code::kUnsupported,
                fmt::format("{} is changed {}", delta.tensor,
                            layer ? "as a whole, which no adapter of low rank holds"
                                  : "and lies outside the layers, where adapters are not made"),
                "use --format safetensors or gguf, or train with --lora");
  }
  return all;
}

Result<std::map<std::string, edit::LowRank>> adapters_of(std::string_view image) {
  const tensor::TensorMap factors = TRY(tensor::read_image(image)).tensors;
  std::map<std::string, edit::LowRank> adapters;
  for (const auto& [key, a] : factors) {
    if (!key.starts_with(kBefore) || !key.ends_with(kAfterA)) continue;
    const std::string module =
        key.substr(kBefore.size(), key.size() - kBefore.size() - kAfterA.size());
    const auto b = factors.find(key_of(module, "B"));
    if (b == factors.end() || a.dim() != 2 || b->second.dim() != 2 ||
        b->second.size(1) != a.size(0))
      return fail(Code::kCorrupt, fmt::format("the factors of {} do not agree", module));
    adapters[module + ".weight"] = {b->second, a};
  }
  return adapters;
}

Result<edit::Edit> read_adapter(const std::string& folder) {
  const Json config = TRY(base::read_json(folder + kConfig));
  const std::string file = weights_file(Format::kPeft, folder);
  const auto targets = config.find("target_modules");
  edit::Edit edit;
  for (auto& [name, adapter] : TRY_AT(file, adapters_of(TRY(base::read_file(file))))) {
    const std::string module = module_of(name);
    const int64_t rank = number_of(config, "r", "rank_pattern", module);
    if (targets == config.end() || std::ranges::count(*targets, Json(module)) != 1 ||
        adapter.s.size(0) != rank ||
        number_of(config, "lora_alpha", "alpha_pattern", module) != rank)
      return fail(Code::kCorrupt,
                  fmt::format("{}: {} and its configuration do not agree", folder, module),
                  "only adapters that expunge wrote can be read: export it again");
    edit.deltas.push_back({name, adapter});
  }
  return edit;
}

base::Status write_adapter(const model::Model& model, const edit::Edit& edit,
                           const ExportOptions& options, const Stage& stage, Exported& e) {
  const tensor::TensorMap factors = factors_of(edit);
  const std::string file = stage.weights_file(options.format);
  TRY(tensor::write_image(file, factors, {{"format", "pt"}}));
  TRY(base::write_file_atomic(stage.path() + kConfig,
                              base::dump_json(config_of(model, edit), 2) + "\n"));
  const tensor::TensorMap written = factors_of(TRY(read_adapter(stage.path())));
  for (const auto& [key, factor] : factors) {
    const auto it = written.find(key);
    if (it == written.end() || !at::equal(it->second, factor))
      return fail(Code::kCorrupt, fmt::format("the written {} is another", key),
                  "nothing was exported; is the disk or the memory failing?");
  }
  e.tensors = written.size();
  const auto map = TRY(base::MappedFile::open(file));
  e.size_bytes = map->bytes().size();
  e.sha256 = base::sha256_hex(map->bytes());
  for (const edit::Delta& delta : edit.deltas)
    e.edited.push_back({delta.tensor, tensor::DType::kF32, 0, 0, 0});
  return {};
}

}  // namespace expunge::publish
