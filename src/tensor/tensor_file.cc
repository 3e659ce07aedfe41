#include "tensor/tensor_file.h"

#include <cstring>
#include <filesystem>
#include <set>

namespace expunge::tensor {
namespace {

namespace fs = std::filesystem;
using base::Code;
using base::fail;

// The shards of a Hugging Face folder, in name order.
base::Result<std::vector<std::string>> shards(const std::string& dir) {
  const fs::path root(dir), index = root / "model.safetensors.index.json";
  std::error_code ec;  // a path that cannot be examined fails when it is opened
  if (fs::exists(root / "model.safetensors", ec))
    return std::vector{(root / "model.safetensors").string()};
  if (!fs::exists(index, ec))
    return fail(Code::kNotFound, fmt::format("{} has no model.safetensors", dir),
                "give a .gguf file or a Hugging Face folder with safetensors weights");
  const base::Json json = TRY(base::read_json(index.string()));
  std::set<std::string> names;
  if (!json.is_object() || !json.contains("weight_map") || !json["weight_map"].is_object())
    return fail(Code::kCorrupt, index.string() + ": no weight_map");
  for (const auto& [tensor, file] : json["weight_map"].items()) {
    if (!file.is_string() || file.get<std::string>().find('/') != std::string::npos)
      return fail(Code::kCorrupt,
                  fmt::format("{}: {} has no plain file name", index.string(), tensor));
    names.insert((root / file.get<std::string>()).string());
  }
  if (names.empty()) return fail(Code::kCorrupt, index.string() + ": names no shard");
  return std::vector(names.begin(), names.end());
}

}  // namespace

base::Result<std::shared_ptr<const TensorFile>> TensorFile::open(const std::string& path) {
  auto file = std::shared_ptr<TensorFile>(new TensorFile);
  file->path_ = path;
  std::error_code ec;
  if (fs::is_directory(path, ec)) {
    for (const std::string& shard : TRY(shards(path))) TRY_AT(shard, file->add(shard));
  } else {
    TRY_AT(path, file->add(path));
  }
  return std::shared_ptr<const TensorFile>(std::move(file));
}

base::Status TensorFile::add(const std::string& path) {
  auto map = TRY(base::MappedFile::open(path));
  const std::span<const std::byte> bytes = map->bytes();
  const std::string_view head(reinterpret_cast<const char*>(bytes.data()),
                              std::min<size_t>(bytes.size(), 9));
  // The magic first: the ninth byte of a GGUF of 123 tensors is '{' too.
  const bool safetensors = !head.starts_with("GGUF") && head.size() == 9 && head[8] == '{';
  ParsedFile parsed = TRY(safetensors ? parse_safetensors(bytes) : parse_gguf(bytes));
  format_ = safetensors ? Format::kSafetensors : Format::kGguf;
  maps_.push_back(std::move(map));
  for (TensorInfo& t : parsed.tensors) {
    if (!index_.emplace(t.name, parsed_.tensors.size()).second)
      return fail(Code::kCorrupt, fmt::format("{} is in two shards", t.name));
    parsed_.tensors.push_back(std::move(t));
  }
  parsed_.meta = std::move(parsed.meta);
  parsed_.data_offset = parsed.data_offset;
  parsed_.alignment = parsed.alignment;
  return {};
}

const TensorInfo* TensorFile::find(std::string_view name) const {
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : &parsed_.tensors[found->second];
}

}  // namespace expunge::tensor
