// Model files, memory-mapped and never written: GGUF v2/v3 and safetensors (one file or shards).
//
// Everything is validated when a file is opened; afterwards every TensorInfo's bytes lie inside the
// map and have the size its shape and type require.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/files.h"
#include "base/json.h"
#include "tensor/quant.h"

namespace expunge::tensor {

struct TensorInfo {
  std::string name;
  std::vector<int64_t> shape;  // as PyTorch writes it: [O,I]; GGUF's order reversed
  DType dtype;
  std::span<const std::byte> bytes;
  size_t numel() const;
};

// GGUF's key-value table.
class GgufMeta {
 public:
  using Strings = std::vector<std::string_view>;
  using Value = std::variant<uint64_t, int64_t, double, bool, std::string_view, Strings,
                             std::vector<int64_t>, std::vector<double>>;
  bool has(std::string_view key) const { return find(key) != nullptr; }
  // Errors: the key is missing, or of another type.
  base::Result<int64_t> integer(std::string_view key) const;
  base::Result<double> real(std::string_view key) const;
  base::Result<std::string> text(std::string_view key) const;
  base::Result<Strings> texts(std::string_view key) const;
  base::Result<std::vector<int64_t>> integers(std::string_view key) const;
  base::Result<std::vector<double>> reals(std::string_view key) const;
  // The value if the key is there, else the fallback; a wrong type counts as absent.
  int64_t integer_or(std::string_view key, int64_t fallback) const;
  double real_or(std::string_view key, double fallback) const;
  bool flag_or(std::string_view key, bool fallback) const;
  std::string text_or(std::string_view key, std::string fallback) const;

  std::map<std::string, Value, std::less<>> values;

 private:
  const Value* find(std::string_view key) const;
};

// What the parsers return; spans point into the parsed bytes.
struct ParsedFile {
  std::vector<TensorInfo> tensors;  // in file order
  GgufMeta meta;                    // GGUF only
  size_t data_offset = 0;           // where tensor data begins
  size_t alignment = 32;            // GGUF only
};
base::Result<ParsedFile> parse_gguf(std::span<const std::byte> bytes);
base::Result<ParsedFile> parse_safetensors(std::span<const std::byte> bytes);

enum class Format { kGguf, kSafetensors };

class TensorFile {
 public:
  // A .gguf or .safetensors file (recognised by content), or a Hugging Face folder.
  static base::Result<std::shared_ptr<const TensorFile>> open(const std::string& path);
  Format format() const { return format_; }
  const std::string& path() const { return path_; }
  const std::vector<TensorInfo>& tensors() const { return parsed_.tensors; }
  const TensorInfo* find(std::string_view name) const;
  const GgufMeta& meta() const { return parsed_.meta; }
  const ParsedFile& parsed() const { return parsed_; }
  const std::vector<std::shared_ptr<const base::MappedFile>>& maps() const { return maps_; }

 private:
  base::Status add(const std::string& path);
  std::string path_;
  Format format_ = Format::kGguf;
  ParsedFile parsed_;
  std::vector<std::shared_ptr<const base::MappedFile>> maps_;
  std::map<std::string, size_t, std::less<>> index_;
};

// Copies `source` (a GGUF) with some tensors replaced, each by the bytes of a type; all else byte
// for byte. Atomic.
struct Replacement {
  DType dtype;
  std::string bytes;
};
base::Status write_gguf(const std::string& path, const TensorFile& source,
                        const std::map<std::string, Replacement>& replacements);

// A safetensors image of named tensors, in this order.
struct NamedBytes {
  std::string name;
  DType dtype;  // one that safetensors has
  std::vector<int64_t> shape;
  std::span<const std::byte> bytes;
};
std::string safetensors_image(const std::vector<NamedBytes>& tensors,
                              const std::map<std::string, std::string>& metadata);
// The header of that image, before the tensors' bytes.
std::string safetensors_header(const std::vector<NamedBytes>& tensors,
                               const std::map<std::string, std::string>& metadata);
// __metadata__ of a safetensors image that parse_safetensors accepts.
base::Result<base::Json> safetensors_metadata(std::span<const std::byte> bytes);

}  // namespace expunge::tensor
