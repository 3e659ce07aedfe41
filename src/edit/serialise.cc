// An edit as one safetensors image: tensors "<i>.u" and "<i>.s" or "<i>.dense" of the i-th delta;
// the metadata has the deltas' tensor names in order, the neurons that the edit occupies, if any,
// and the provenance. Bits are preserved. Edits of earlier versions name those neurons in their
// provenance only.
#include <algorithm>
#include <cstring>

#include "edit/edit.h"
#include "tensor/tensor_file.h"

namespace expunge::edit {
namespace {

using base::Code;
using base::fail;
using base::Json;
using base::Result;

constexpr const char* kEditFormat = "expunge-edit-1";
constexpr const char* kDamaged = "the journal's entry is damaged";

std::span<const std::byte> bytes_of(const Tensor& t) {
  return {static_cast<const std::byte*>(t.data_ptr()), t.nbytes()};
}

Result<std::string> text_of(const Json& meta, const char* key) {
  if (!meta.is_object() || !meta.contains(key) || !meta[key].is_string())
    return fail(Code::kCorrupt, fmt::format("the edit lacks '{}'", key), kDamaged);
  return meta[key].get<std::string>();
}

Result<Tensor> matrix(const std::map<std::string, tensor::TensorInfo>& stored,
                      const std::string& name) {
  const auto found = stored.find(name);
  if (found == stored.end())
    return fail(Code::kCorrupt, fmt::format("the edit lacks its tensor {}", name), kDamaged);
  const tensor::TensorInfo& info = found->second;
  if (info.dtype != tensor::DType::kF32 || info.shape.empty() || info.shape.size() > 2)
    return fail(Code::kCorrupt,
                fmt::format("the edit's tensor {} is not a float32 matrix or vector", name),
                kDamaged);
  Tensor value = at::empty(info.shape, tensor::f32());
  if (!info.bytes.empty()) std::memcpy(value.data_ptr(), info.bytes.data(), info.bytes.size());
  return value;
}

// Layers and neurons; a damaged list is an error, since a later edit would write over the neurons.
Result<Occupied> occupied_from_json(const Json& layer, const Json& neurons) {
  Occupied o;
  const auto is_index = [](const Json& n) {
    return n.is_number_integer() && n.get<int64_t>() >= 0;
  };
  if (!is_index(layer) || !neurons.is_array() || !std::ranges::all_of(neurons, is_index))
    return fail(Code::kCorrupt, "the edit's occupied neurons are not whole numbers", kDamaged);
  o.layer = layer.get<int64_t>();
  o.neurons = neurons.get<std::vector<int64_t>>();
  return o;
}

Result<std::vector<Occupied>> occupied_of(const Json& list) {
  std::vector<Occupied> occupied;
  if (!list.is_array()) return fail(Code::kCorrupt, "the edit's occupied is not a list", kDamaged);
  for (const Json& o : list) {
    if (!o.is_object() || !o.contains("layer") || !o.contains("neurons"))
      return fail(Code::kCorrupt, "the edit's occupied lacks a layer or neurons", kDamaged);
    occupied.push_back(TRY(occupied_from_json(o["layer"], o["neurons"])));
  }
  return occupied;
}

// As earlier versions noted it: "layer" and "neurons" of an edit, or of each of its "parts".
Result<std::vector<Occupied>> occupied_of_provenance(const Json& provenance) {
  std::vector<Occupied> occupied;
  if (!provenance.is_object()) return occupied;
  const Json parts = provenance.value("parts", Json::array({provenance}));
  if (!parts.is_array()) return occupied;
  for (const Json& part : parts)
    if (part.is_object() && part.contains("layer") && part.contains("neurons"))
      occupied.push_back(TRY(occupied_from_json(part["layer"], part["neurons"])));
  return occupied;
}

}  // namespace

Result<std::string> serialise(const Edit& edit) {
  return tensor::guarded([&]() -> Result<std::string> {
    std::vector<Tensor> kept;  // contiguous, alive until the image is made
    std::vector<tensor::NamedBytes> tensors;
    Json names = Json::array();
    kept.reserve(2 * edit.deltas.size());
    const auto add = [&](std::string name, const Tensor& value) {
      const Tensor& t = kept.emplace_back(value.to(at::kFloat).contiguous());
      tensors.push_back({std::move(name), tensor::DType::kF32, t.sizes().vec(), bytes_of(t)});
    };
    for (const Delta& delta : edit.deltas) {
      const size_t i = names.size();
      names.push_back(delta.tensor);
      if (const auto* low = std::get_if<LowRank>(&delta.change)) {
        add(fmt::format("{}.u", i), low->u);
        add(fmt::format("{}.s", i), low->s);
      } else {
        add(fmt::format("{}.dense", i), std::get<Dense>(delta.change).value);
      }
    }
    std::map<std::string, std::string> meta = {{"format", kEditFormat},
                                               {"tensors", base::dump_json(names)},
                                               {"provenance", base::dump_json(edit.provenance)}};
    if (!edit.occupied.empty()) {
      Json occupied = Json::array();
      for (const Occupied& o : edit.occupied)
        occupied.push_back({{"layer", o.layer}, {"neurons", o.neurons}});
      meta["occupied"] = base::dump_json(occupied);
    }
    return tensor::safetensors_image(tensors, meta);
  });
}

Result<Edit> deserialise(std::string_view blob) {
  const auto bytes = std::as_bytes(std::span(blob));
  const tensor::ParsedFile file = TRY(tensor::parse_safetensors(bytes));
  const Json meta = TRY(tensor::safetensors_metadata(bytes));
  if (const std::string format = TRY(text_of(meta, "format")); format != kEditFormat)
    return fail(Code::kUnsupported,
                fmt::format("edit format '{}', expected {}", format, kEditFormat));
  const Json names = TRY(base::parse_json(TRY(text_of(meta, "tensors")), "edit's tensors"));
  if (!names.is_array()) return fail(Code::kCorrupt, "the edit's tensors are not a list", kDamaged);
  std::map<std::string, tensor::TensorInfo> stored;
  size_t size = 0;
  for (const tensor::TensorInfo& info : file.tensors) {
    stored[info.name] = info;
    size += info.bytes.size();
  }
  if (file.data_offset + size != bytes.size())
    return fail(Code::kCorrupt, "the edit's size disagrees with its header", kDamaged);
  return tensor::guarded([&]() -> Result<Edit> {
    Edit edit;
    edit.provenance = TRY(base::parse_json(TRY(text_of(meta, "provenance")), "edit's provenance"));
    edit.occupied = meta.contains("occupied")
                        ? TRY(occupied_of(TRY(
                              base::parse_json(TRY(text_of(meta, "occupied")), "edit's occupied"))))
                        : TRY(occupied_of_provenance(edit.provenance));
    for (const Json& name : names) {
      if (!name.is_string()) return fail(Code::kCorrupt, "a tensor's name is not a text", kDamaged);
      const size_t i = edit.deltas.size();
      Delta delta{name.get<std::string>(), {}};
      if (const std::string dense = fmt::format("{}.dense", i); stored.contains(dense)) {
        delta.change = Dense{TRY(matrix(stored, dense))};
      } else {
        LowRank low{TRY(matrix(stored, fmt::format("{}.u", i))),
                    TRY(matrix(stored, fmt::format("{}.s", i)))};
        if (low.u.size(1) != low.s.size(0))
          return fail(Code::kCorrupt, fmt::format("factors of {} do not multiply", delta.tensor),
                      kDamaged);
        delta.change = std::move(low);
      }
      edit.deltas.push_back(std::move(delta));
    }
    return edit;
  });
}

Result<Edit> deserialise(std::string_view blob, Json provenance) {
  Edit edit = TRY(deserialise(blob));
  edit.provenance = std::move(provenance);
  if (edit.occupied.empty()) edit.occupied = TRY(occupied_of_provenance(edit.provenance));
  return edit;
}

}  // namespace expunge::edit
