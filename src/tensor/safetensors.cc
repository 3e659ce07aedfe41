// safetensors (huggingface/safetensors, format section of its README): 8 bytes of header length,
// a JSON header, tensor data.
#include <algorithm>
#include <cstring>

#include "tensor/tensor_file.h"

namespace expunge::tensor {
namespace {

using base::Code;
using base::fail;
using base::Json;
using base::Result;

constexpr uint64_t kMaxHeader = 100'000'000;  // the reference implementation's bound
constexpr const char* kHint = "the file is damaged or not a safetensors file; download it again";

struct Header {
  Json json;
  size_t data_offset;
};
Result<Header> read_header(std::span<const std::byte> bytes) {
  uint64_t size = 0;
  if (bytes.size() < sizeof size)
    return fail(Code::kCorrupt, "safetensors: shorter than its header", kHint);
  std::memcpy(&size, bytes.data(), sizeof size);
  if (size > kMaxHeader || size > bytes.size() - sizeof size)
    return fail(
        Code::kCorrupt,
        fmt::format("safetensors: a header of {} bytes in a file of {}", size, bytes.size()),
        kHint);
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()) + sizeof size, size);
  Header header{TRY(base::parse_json(text, "safetensors header")), sizeof size + size};
  if (!header.json.is_object())
    return fail(Code::kCorrupt, "safetensors: the header is not an object", kHint);
  return header;
}

// Weights are of the first three; the others are carried along.
constexpr std::string_view kDTypes[] = {"F32", "F16",  "BF16",    "F64",     "I64",    "I32",
                                        "I16", "I8",   "U64",     "U32",     "U16",    "U8",
                                        "C64", "BOOL", "F8_E4M3", "F8_E5M2", "F8_E8M0"};

std::optional<DType> dtype_from_safetensors(const std::string& name) {
  if (std::ranges::find(kDTypes, name) == std::end(kDTypes)) return std::nullopt;
  return dtype_from_name(name);
}

bool is_count(const Json& v) {
  return v.is_number_unsigned() && v.get<uint64_t>() < (uint64_t{1} << 48);
}

Result<TensorInfo> read_tensor(const std::string& name, const Json& entry,
                               std::span<const std::byte> data) {
  const auto bad = [&](std::string_view what) {
    return fail(Code::kCorrupt, fmt::format("safetensors: {}: {}", name, what), kHint);
  };
  if (!entry.is_object() || !entry.contains("dtype") || !entry["dtype"].is_string() ||
      !entry.contains("shape") || !entry["shape"].is_array() || !entry.contains("data_offsets") ||
      !entry["data_offsets"].is_array() || entry["data_offsets"].size() != 2)
    return bad("dtype, shape and data_offsets are wanted");
  const auto dtype = dtype_from_safetensors(entry["dtype"]);
  if (!dtype)
    return fail(Code::kUnsupported,
                fmt::format("safetensors: {} has type {}", name, entry["dtype"].get<std::string>()),
                fmt::format("known: {}", fmt::join(kDTypes, ", ")));
  TensorInfo t{name, {}, *dtype, {}};
  uint64_t numel = 1;
  if (entry["shape"].size() > 8) return bad("more than 8 dimensions");
  for (const Json& dim : entry["shape"]) {
    if (!is_count(dim)) return bad("a dimension is not a count");
    const auto d = dim.get<uint64_t>();
    if (d != 0 && numel > (uint64_t{1} << 40) / d) return bad("too large");
    numel *= d;
    t.shape.push_back(static_cast<int64_t>(d));
  }
  const Json &first = entry["data_offsets"][0], &second = entry["data_offsets"][1];
  if (!is_count(first) || !is_count(second)) return bad("data_offsets are not counts");
  const auto begin = first.get<uint64_t>(), end = second.get<uint64_t>();
  if (begin > end || end > data.size()) return bad("data_offsets lie outside the file");
  if (end - begin != numel * info(*dtype).bytes) return bad("shape and size disagree");
  t.bytes = data.subspan(begin, end - begin);
  return t;
}

// The reference implementation's rule: tensors fill the data without a gap or an overlap. A name
// that occurs twice in the header leaves a gap.
base::Status check_contiguous(const std::vector<TensorInfo>& tensors,
                              std::span<const std::byte> data) {
  std::vector<std::pair<size_t, const TensorInfo*>> order;
  for (const TensorInfo& t : tensors)
    order.emplace_back(static_cast<size_t>(t.bytes.data() - data.data()), &t);
  std::ranges::sort(order, {},
                    [](const auto& o) { return std::pair(o.first, o.second->bytes.size()); });
  size_t end = 0;
  for (const auto& [begin, t] : order) {
    if (begin != end)
      return fail(
          Code::kCorrupt,
          fmt::format("safetensors: {} begins at byte {}, expected {}", t->name, begin, end),
          kHint);
    end = begin + t->bytes.size();
  }
  if (end != data.size())
    return fail(Code::kCorrupt,
                fmt::format("safetensors: tensors end at byte {} of {}", end, data.size()), kHint);
  return {};
}

}  // namespace

size_t TensorInfo::numel() const {
  size_t n = 1;
  for (const int64_t d : shape) n *= static_cast<size_t>(d);
  return n;
}

Result<ParsedFile> parse_safetensors(std::span<const std::byte> bytes) {
  const Header header = TRY(read_header(bytes));
  ParsedFile file;
  file.data_offset = header.data_offset;
  for (const auto& [name, entry] : header.json.items()) {
    if (name == "__metadata__") continue;
    file.tensors.push_back(TRY(read_tensor(name, entry, bytes.subspan(header.data_offset))));
  }
  TRY(check_contiguous(file.tensors, bytes.subspan(header.data_offset)));
  return file;
}

Result<Json> safetensors_metadata(std::span<const std::byte> bytes) {
  const Header header = TRY(read_header(bytes));
  return header.json.value("__metadata__", Json::object());
}

std::string safetensors_header(const std::vector<NamedBytes>& tensors,
                               const std::map<std::string, std::string>& metadata) {
  Json json = Json::object();
  if (!metadata.empty()) json["__metadata__"] = metadata;
  uint64_t offset = 0;
  for (const NamedBytes& t : tensors) {
    json[t.name] = {{"dtype", info(t.dtype).name},
                    {"shape", t.shape},
                    {"data_offsets", {offset, offset + t.bytes.size()}}};
    offset += t.bytes.size();
  }
  std::string header = base::dump_json(json);
  header.resize((header.size() + 7) / 8 * 8, ' ');
  const uint64_t size = header.size();
  return std::string(reinterpret_cast<const char*>(&size), sizeof size) + header;
}

std::string safetensors_image(const std::vector<NamedBytes>& tensors,
                              const std::map<std::string, std::string>& metadata) {
  std::string image = safetensors_header(tensors, metadata);
  size_t size = image.size();
  for (const NamedBytes& t : tensors) size += t.bytes.size();
  image.reserve(size);
  for (const NamedBytes& t : tensors)
    image.append(reinterpret_cast<const char*>(t.bytes.data()), t.bytes.size());
  return image;
}

}  // namespace expunge::tensor
