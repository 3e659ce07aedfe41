// What is exported: the changes that the journal knows, types, and the two formats.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "base/files.h"
#include "model/hf_files.h"
#include "model/stored.h"
#include "publish/parts.h"
#include "tensor/kernels/pool.h"

namespace expunge::publish {
namespace {

namespace fs = std::filesystem;
using base::Code;
using base::fail;
using base::Json;
using base::Result;
using tensor::DType;
using tensor::TensorInfo;

// Files next to the weights in a Hugging Face folder; existing ones are copied.
constexpr const char* kSideFiles[] = {"config.json",         "generation_config.json",
                                      "tokenizer.json",      "tokenizer_config.json",
                                      "vocab.json",          "merges.txt",
                                      "tokenizer.model",     "special_tokens_map.json",
                                      "chat_template.jinja", "added_tokens.json"};

bool is_plain(DType t) { return t == DType::kF32 || t == DType::kF16 || t == DType::kBF16; }

std::string_view torch_name(DType dtype) {
  return dtype == DType::kF32 ? "float32" : dtype == DType::kF16 ? "float16" : "bfloat16";
}

class Out {
 public:
  static Result<Out> create(const std::string& path) {
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0) return io_error("create", path, errno);
    return Out(fd, path);
  }
  Out(Out&& o) noexcept : fd_(std::exchange(o.fd_, -1)), path_(std::move(o.path_)) {}
  Out& operator=(Out&&) = delete;
  ~Out() {
    if (fd_ >= 0) ::close(fd_);
  }
  base::Status write(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::write(fd_, bytes.data(), bytes.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return io_error("write", path_, errno);
      bytes.remove_prefix(static_cast<size_t>(n));
    }
    return {};
  }
  base::Status sync() {
    if (::fsync(fd_) != 0) return io_error("write", path_, errno);
    return {};
  }

 private:
  Out(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  int fd_;
  std::string path_;
};

// One tensor of the folder: taken from the model, or copied from the source unchanged.
struct Item {
  std::string name;
  DType dtype;
  std::vector<int64_t> shape;
  const TensorInfo* copy = nullptr;
  size_t size() const {
    size_t n = tensor::info(dtype).bytes;
    for (const int64_t d : shape) n *= static_cast<size_t>(d);
    return n;
  }
};

Result<std::vector<Item>> items(const model::Model& model, const std::set<std::string>& edited,
                                const ExportOptions& options) {
  std::vector<Item> list;
  if (model.file()->format() == tensor::Format::kGguf) {
    for (const auto& [name, param] : model.weights()) {
      const auto stored = model::find_stored(*model.file(), model.arch(), name);
      const DType dtype = TRY(safetensors_type(stored ? &*stored : nullptr, options));
      list.push_back({name, dtype, param->shape()});
    }
    return list;
  }
  for (const TensorInfo& t : model.file()->tensors()) {
    const bool known = model.has(t.name);
    const DType dtype = known ? TRY(safetensors_type(&t, options)) : t.dtype;
    const bool keep = !known || (dtype == t.dtype && !edited.contains(t.name));
    list.push_back({t.name, dtype, t.shape, keep ? &t : nullptr});
  }
  return list;
}

// Values with their rows as a GGUF has them.
Tensor in_gguf_order(const model::Model& model, const std::string& name) {
  Tensor values = model.param(name).value();
  const auto order = model::gguf_row_order(model.arch(), name);
  if (order.empty()) return values;
  return at::empty_like(values).index_copy_(0, at::tensor(order, tensor::i64()), values);
}

std::string header_of(const std::vector<Item>& list) {
  // transformers requires a note that the tensors are PyTorch's.
  Json json = {{"__metadata__", {{"format", "pt"}}}};
  uint64_t offset = 0;
  for (const Item& item : list) {
    json[item.name] = {{"dtype", tensor::info(item.dtype).name},
                       {"shape", item.shape},
                       {"data_offsets", {offset, offset + item.size()}}};
    offset += item.size();
  }
  std::string text = base::dump_json(json);
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const uint64_t size = text.size();
  return std::string(reinterpret_cast<const char*>(&size), sizeof size) + text;
}

base::Status write_side_files(const model::Model& model, const ExportOptions& options, DType dtype,
                              const Stage& stage) {
  if (model.file()->format() == tensor::Format::kGguf) {
    const auto files = TRY(model::hf_files_from_gguf(model.file()->meta(), model.arch(),
                                                     std::string(torch_name(dtype))));
    for (const auto& [file, text] : files)
      TRY(base::write_file_atomic(stage.path() + "/" + file, text));
    return {};
  }
  std::error_code ec;
  const fs::path source(model.file()->path());
  const fs::path folder = fs::is_directory(source, ec) ? source : source.parent_path();
  for (const char* file : kSideFiles) {
    if (!fs::exists(folder / file, ec)) continue;
    std::string text = TRY(base::read_file((folder / file).string()));
    if (options.dtype && file == std::string_view("config.json")) {
      Json json = TRY(base::parse_json(text, file));
      json.erase("dtype");
      json["torch_dtype"] = torch_name(dtype);
      text = base::dump_json(json, 2);
    }
    TRY(base::write_file_atomic(stage.path() + "/" + file, text));
  }
  return {};
}

}  // namespace

Result<std::set<std::string>> recorded_changes(const model::Model& model,
                                               const journal::Journal& journal) {
  if (const std::string hash = TRY(model.file_hash()); hash != journal.model().file_hash)
    return fail(Code::kConflict, "the journal belongs to another model",
                "export with the model that the journal was made for");
  const model::Model base = model.base();
  const model::Model recorded = TRY(edit::apply(base, TRY(journal.active_edits())));
  std::set<std::string> edited;
  for (const auto& [name, param] : recorded.weights()) {
    const Tensor value = model.param(name).value();
    if (&model.param(name) != param.get() && !at::equal(param->value(), value))
      return fail(Code::kConflict,
                  fmt::format("{} holds changes that the journal does not record", name),
                  "only what is recorded is exported: load the model and its journal again");
    if (param->edited() && !at::equal(param->value(), base.param(name).value()))
      edited.insert(name);
  }
  return edited;
}

Result<DType> gguf_type(const TensorInfo& stored, const ExportOptions& options) {
  if (stored.shape.size() < 2) return stored.dtype;  // norms stay what they are
  const DType dtype = options.dtype.value_or(tensor::writable_type(stored.dtype));
  const tensor::DTypeInfo& type = tensor::info(dtype);
  if (!type.can_quantise)
    return fail(Code::kUnsupported, fmt::format("{} can be read but not written", type.name),
                "choose one of F32, F16, BF16, Q8_0, Q5_1, Q5_0, Q4_1, Q4_0");
  if (stored.shape.back() % static_cast<int64_t>(type.block) != 0)
    return fail(Code::kUnsupported,
                fmt::format("{}: rows of {} are not a whole number of {} blocks", stored.name,
                            stored.shape.back(), type.name),
                "choose F16, BF16 or F32");
  return dtype;
}

Result<DType> safetensors_type(const TensorInfo* stored, const ExportOptions& options) {
  if (!options.dtype) return stored && is_plain(stored->dtype) ? stored->dtype : DType::kF32;
  if (!is_plain(*options.dtype))
    return fail(Code::kUnsupported,
                fmt::format("safetensors holds no {}", tensor::info(*options.dtype).name),
                "choose F32, F16 or BF16, or export as gguf");
  return *options.dtype;
}

base::Status write_gguf(const model::Model& model, const std::set<std::string>& edited,
                        const ExportOptions& options, const Stage& stage, const base::Job& job) {
  std::map<std::string, tensor::Replacement> replacements;
  size_t done = 0;
  for (const TensorInfo& stored : model.file()->tensors()) {
    const auto parts = model::parts_of(model.arch(), tensor::Format::kGguf, stored);
    const auto changed = [&](const model::StoredPart& p) { return edited.contains(p.name); };
    if (std::ranges::none_of(parts, changed)) continue;
    TRY(job.check());
    job.report("quantise", done, edited.size());
    const DType dtype = TRY(gguf_type(stored, options));
    std::string bytes;
    for (const model::StoredPart& part : parts) {
      if (changed(part) || dtype != stored.dtype)
        bytes += TRY(tensor::quantised(dtype, in_gguf_order(model, part.name)));
      else
        bytes.append(reinterpret_cast<const char*>(part.info.bytes.data()), part.info.bytes.size());
      done += changed(part);
    }
    replacements[stored.name] = {dtype, std::move(bytes)};
  }
  job.report("write", 0, 1);
  return tensor::write_gguf(stage.path(), *model.file(), replacements);
}

base::Status write_folder(const model::Model& model, const std::set<std::string>& edited,
                          const ExportOptions& options, const Stage& stage, const base::Job& job) {
  const std::vector<Item> list = TRY(items(model, edited, options));
  Out out = TRY(Out::create(stage.weights_file(options.format)));
  TRY(out.write(header_of(list)));
  size_t done = 0;
  for (const Item& item : list) {
    TRY(job.check());
    job.report("write", done++, list.size());
    if (item.copy) {
      const auto bytes = item.copy->bytes;
      TRY(out.write({reinterpret_cast<const char*>(bytes.data()), bytes.size()}));
    } else {
      const double offset = model::checkpoint_offset(model.arch(), item.name);
      const Tensor values = model.param(item.name).value();
      TRY(out.write(TRY(tensor::quantised(item.dtype, offset == 0 ? values : values - offset))));
    }
  }
  TRY(out.sync());
  const DType widest = list.empty() ? DType::kF32 : list.front().dtype;
  return write_side_files(model, options, options.dtype.value_or(widest), stage);
}

}  // namespace expunge::publish
