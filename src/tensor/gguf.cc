// GGUF v2 and v3 (ggml/docs/gguf.md): a bounds-checked reader over bytes and a rewriter.
#include <algorithm>
#include <cstring>
#include <set>

#include "tensor/tensor_file.h"

namespace expunge::tensor {
namespace {

using base::Code;
using base::fail;
using base::Result;
using base::Status;

constexpr std::string_view kHint = "the file is damaged or not a GGUF; download it again";
// ggml's own bounds are looser; these keep a hostile header from requesting absurd memory.
constexpr uint64_t kMaxTensors = 1 << 20, kMaxKeys = 1 << 16, kMaxDims = 4;
constexpr uint64_t kMaxName = 1 << 10;

enum Type : uint32_t {
  kU8,
  kI8,
  kU16,
  kI16,
  kU32,
  kI32,
  kF32,
  kBool,
  kString,
  kArray,
  kU64,
  kI64,
  kF64
};

class Cursor {
 public:
  explicit Cursor(std::span<const std::byte> bytes) : bytes_(bytes) {}
  size_t position() const { return position_; }
  size_t left() const { return bytes_.size() - position_; }

  template <class T>
  Result<T> read(std::string_view what) {
    if (left() < sizeof(T)) return short_of(what, sizeof(T));
    T value;
    std::memcpy(&value, bytes_.data() + position_, sizeof value);
    position_ += sizeof value;
    return value;
  }
  Result<std::string_view> string(std::string_view what, uint64_t longest) {
    const auto size = TRY(read<uint64_t>(what));
    if (size > left() || size > longest) return short_of(what, size);
    const std::string_view text(reinterpret_cast<const char*>(bytes_.data()) + position_, size);
    position_ += size;
    return text;
  }
  tl::unexpected<base::Error> short_of(std::string_view what, uint64_t wanted) const {
    return fail(Code::kCorrupt,
                fmt::format("GGUF: {} at byte {} wants {} bytes, {} are left", what, position_,
                            wanted, left()),
                std::string(kHint));
  }

 private:
  std::span<const std::byte> bytes_;
  size_t position_ = 0;
};

Result<GgufMeta::Value> read_scalar(Cursor& in, uint32_t type) {
  using V = GgufMeta::Value;
  switch (type) {
    case kU8:
      return V(uint64_t{TRY(in.read<uint8_t>("value"))});
    case kI8:
      return V(int64_t{TRY(in.read<int8_t>("value"))});
    case kU16:
      return V(uint64_t{TRY(in.read<uint16_t>("value"))});
    case kI16:
      return V(int64_t{TRY(in.read<int16_t>("value"))});
    case kU32:
      return V(uint64_t{TRY(in.read<uint32_t>("value"))});
    case kI32:
      return V(int64_t{TRY(in.read<int32_t>("value"))});
    case kU64:
      return V(TRY(in.read<uint64_t>("value")));
    case kI64:
      return V(TRY(in.read<int64_t>("value")));
    case kF32:
      return V(double{TRY(in.read<float>("value"))});
    case kF64:
      return V(TRY(in.read<double>("value")));
    case kBool:
      return V(TRY(in.read<uint8_t>("value")) != 0);
    case kString:
      return V(TRY(in.string("string", UINT32_MAX)));
    default:
      return fail(Code::kCorrupt, fmt::format("GGUF: unknown value type {}", type),
                  std::string(kHint));
  }
}

Result<GgufMeta::Value> read_array(Cursor& in) {
  const auto type = TRY(in.read<uint32_t>("array type"));
  const auto count = TRY(in.read<uint64_t>("array length"));
  if (type == kArray) return fail(Code::kUnsupported, "GGUF: arrays of arrays are not supported");
  if (count > in.left()) return in.short_of("array", count);  // one byte an element at the least
  if (type == kString) {
    GgufMeta::Strings strings;
    strings.reserve(std::min<uint64_t>(count, in.left() / 8));
    for (uint64_t i = 0; i < count; ++i)
      strings.push_back(TRY(in.string("array string", UINT32_MAX)));
    return GgufMeta::Value(std::move(strings));
  }
  std::vector<int64_t> integers;
  std::vector<double> reals;
  for (uint64_t i = 0; i < count; ++i) {
    const GgufMeta::Value value = TRY(read_scalar(in, type));
    if (const auto* r = std::get_if<double>(&value)) reals.push_back(*r);
    if (const auto* u = std::get_if<uint64_t>(&value)) integers.push_back(static_cast<int64_t>(*u));
    if (const auto* s = std::get_if<int64_t>(&value)) integers.push_back(*s);
    if (const auto* b = std::get_if<bool>(&value)) integers.push_back(*b);
  }
  if (type == kF32 || type == kF64) return GgufMeta::Value(std::move(reals));
  return GgufMeta::Value(std::move(integers));
}

struct Header {
  uint64_t n_tensors, n_keys;
};
Result<Header> read_header(Cursor& in) {
  const auto magic = TRY(in.read<uint32_t>("magic"));
  if (magic != 0x46554747)
    return fail(Code::kCorrupt, fmt::format("not a GGUF: it starts with {:#x}, not GGUF", magic),
                "give a .gguf file, a .safetensors file or a Hugging Face folder");
  const auto version = TRY(in.read<uint32_t>("version"));
  if (version != 2 && version != 3)
    return fail(Code::kUnsupported, fmt::format("GGUF version {} is not supported", version),
                "versions 2 and 3 are; big-endian files are not");
  Header h{TRY(in.read<uint64_t>("tensor count")), TRY(in.read<uint64_t>("key count"))};
  if (h.n_tensors > kMaxTensors || h.n_keys > kMaxKeys)
    return fail(
        Code::kCorrupt,
        fmt::format("GGUF: {} tensors and {} keys are beyond reason", h.n_tensors, h.n_keys),
        std::string(kHint));
  return h;
}

struct RawTensor {
  TensorInfo info;
  uint64_t offset;
};
Result<RawTensor> read_tensor(Cursor& in) {
  RawTensor raw{};
  raw.info.name = TRY(in.string("tensor name", kMaxName));
  const auto n_dims = TRY(in.read<uint32_t>("dimension count"));
  if (n_dims == 0 || n_dims > kMaxDims)
    return fail(Code::kCorrupt, fmt::format("GGUF: {} has {} dimensions", raw.info.name, n_dims),
                std::string(kHint));
  uint64_t numel = 1;
  for (uint32_t i = 0; i < n_dims; ++i) {
    const auto dim = TRY(in.read<uint64_t>("dimension"));
    if (dim == 0 || dim > (uint64_t{1} << 40) || numel > (uint64_t{1} << 40) / dim)
      return fail(Code::kCorrupt, fmt::format("GGUF: {} has a dimension of {}", raw.info.name, dim),
                  std::string(kHint));
    numel *= dim;
    raw.info.shape.insert(raw.info.shape.begin(), static_cast<int64_t>(dim));
  }
  const auto type = TRY(in.read<uint32_t>("tensor type"));
  const auto dtype = dtype_from_ggml(type);
  if (!dtype)
    return fail(
        Code::kUnsupported,
        fmt::format("GGUF: {} has tensor type {}, which is not supported", raw.info.name, type),
        "F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q2_K to Q6_K, IQ1_S to IQ4_XS, MXFP4, TQ1_0 "
        "and TQ2_0 are");
  raw.info.dtype = *dtype;
  if (static_cast<uint64_t>(raw.info.shape.back()) % info(*dtype).block != 0)
    return fail(Code::kCorrupt,
                fmt::format("GGUF: a row of {} is not a whole number of blocks", raw.info.name),
                std::string(kHint));
  raw.offset = TRY(in.read<uint64_t>("tensor offset"));
  return raw;
}

Status place(const RawTensor& raw, std::span<const std::byte> data, size_t alignment,
             TensorInfo& out) {
  out = raw.info;
  const DTypeInfo& type = info(out.dtype);
  const uint64_t size = out.numel() / type.block * type.bytes;
  if (raw.offset % alignment != 0 || raw.offset > data.size() || size > data.size() - raw.offset)
    return fail(Code::kCorrupt,
                fmt::format("GGUF: {} wants bytes {} to {} of {} data bytes", out.name, raw.offset,
                            raw.offset + size, data.size()),
                "the file is truncated; download it again");
  out.bytes = data.subspan(raw.offset, size);
  return {};
}

Status check_overlap(const std::vector<TensorInfo>& tensors) {
  std::vector<const TensorInfo*> order;
  std::set<std::string_view> names;
  for (const TensorInfo& t : tensors) {
    order.push_back(&t);
    if (!names.insert(t.name).second)
      return fail(Code::kCorrupt, fmt::format("GGUF: two tensors are called {}", t.name),
                  std::string(kHint));
  }
  std::ranges::sort(order, {}, [](const TensorInfo* t) { return t->bytes.data(); });
  for (size_t i = 1; i < order.size(); ++i)
    if (order[i - 1]->bytes.data() + order[i - 1]->bytes.size() > order[i]->bytes.data())
      return fail(Code::kCorrupt,
                  fmt::format("GGUF: {} and {} overlap", order[i - 1]->name, order[i]->name),
                  std::string(kHint));
  return {};
}

size_t align_up(size_t n, size_t alignment) { return (n + alignment - 1) / alignment * alignment; }

}  // namespace

Result<ParsedFile> parse_gguf(std::span<const std::byte> bytes) {
  Cursor in(bytes);
  const Header header = TRY(read_header(in));
  ParsedFile file;
  for (uint64_t i = 0; i < header.n_keys; ++i) {
    const std::string key(TRY(in.string("key", UINT16_MAX)));
    const auto type = TRY(in.read<uint32_t>("value type"));
    GgufMeta::Value value = TRY(type == kArray ? read_array(in) : read_scalar(in, type));
    if (!file.meta.values.emplace(key, std::move(value)).second)
      return fail(Code::kCorrupt, fmt::format("GGUF: key {} appears twice", key),
                  std::string(kHint));
  }
  const int64_t alignment = file.meta.integer_or("general.alignment", 32);
  if (alignment < 8 || alignment > (1 << 20) || (alignment & (alignment - 1)) != 0)
    return fail(Code::kCorrupt,
                fmt::format("GGUF: alignment {} is not a power of two from 8", alignment),
                std::string(kHint));
  file.alignment = static_cast<size_t>(alignment);
  std::vector<RawTensor> raw;
  for (uint64_t i = 0; i < header.n_tensors; ++i) raw.push_back(TRY(read_tensor(in)));
  file.data_offset = std::min(align_up(in.position(), file.alignment), bytes.size());
  file.tensors.resize(raw.size());
  for (size_t i = 0; i < raw.size(); ++i)
    TRY(place(raw[i], bytes.subspan(file.data_offset), file.alignment, file.tensors[i]));
  TRY(check_overlap(file.tensors));
  return file;
}

// Each replacement names a tensor and has the bytes that its shape and type ask for.
static Status check_replacements(const TensorFile& source,
                                 const std::map<std::string, Replacement>& replacements) {
  for (const auto& [name, r] : replacements) {
    const TensorInfo* t = source.find(name);
    if (!t) return fail(Code::kNotFound, fmt::format("{} has no tensor {}", source.path(), name));
    const DTypeInfo& type = info(r.dtype);
    if (static_cast<uint64_t>(t->shape.back()) % type.block != 0 ||
        r.bytes.size() != t->numel() / type.block * type.bytes)
      return fail(Code::kInvalid,
                  fmt::format("{} bytes of {} do not fit {} of shape [{}]", r.bytes.size(),
                              type.name, name, fmt::join(t->shape, ",")));
  }
  return {};
}

// The header is copied but for the types and offsets of the tensor table, which starts where the
// keys end; tensor data is laid out again in file order.
Status write_gguf(const std::string& path, const TensorFile& source,
                  const std::map<std::string, Replacement>& replacements) {
  if (source.format() != Format::kGguf)
    return fail(Code::kUnsupported, fmt::format("{} is no GGUF", source.path()),
                "only a GGUF can be the model for a GGUF");
  TRY(check_replacements(source, replacements));
  const std::span<const std::byte> bytes = source.maps().front()->bytes();
  Cursor in(bytes);
  const Header header = TRY(read_header(in));
  for (uint64_t i = 0; i < header.n_keys; ++i) {
    TRY(in.string("key", UINT16_MAX));
    const auto type = TRY(in.read<uint32_t>("value type"));
    TRY(type == kArray ? read_array(in) : read_scalar(in, type));
  }
  const auto append = [](std::string& out, const auto& value) {
    out.append(reinterpret_cast<const char*>(&value), sizeof value);
  };
  std::string out(reinterpret_cast<const char*>(bytes.data()), in.position());
  const size_t alignment = source.parsed().alignment;
  uint64_t offset = 0;
  for (const TensorInfo& t : source.tensors()) {
    const auto replaced = replacements.find(t.name);
    const bool keep = replaced == replacements.end();
    append(out, static_cast<uint64_t>(t.name.size()));
    out += t.name;
    append(out, static_cast<uint32_t>(t.shape.size()));
    for (auto dim = t.shape.rbegin(); dim != t.shape.rend(); ++dim)
      append(out, static_cast<uint64_t>(*dim));
    append(out, info(keep ? t.dtype : replaced->second.dtype).ggml_id);
    append(out, offset);
    offset = align_up(offset + (keep ? t.bytes.size() : replaced->second.bytes.size()), alignment);
  }
  out.resize(align_up(out.size(), alignment));
  const size_t data_offset = out.size();
  for (const TensorInfo& t : source.tensors()) {
    const auto replaced = replacements.find(t.name);
    if (replaced == replacements.end())
      out.append(reinterpret_cast<const char*>(t.bytes.data()), t.bytes.size());
    else
      out += replaced->second.bytes;
    out.resize(data_offset + align_up(out.size() - data_offset, alignment));
  }
  return base::write_file_atomic(path, out);
}

}  // namespace expunge::tensor
