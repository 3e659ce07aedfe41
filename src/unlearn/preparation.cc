#include "unlearn/preparation.h"

#include <filesystem>

#include "base/files.h"
#include "base/hash.h"
#include "tensor/tensor_map.h"

namespace expunge::unlearn {

using base::Result;

Result<Tensor> Parts::get(const std::string& name,
                          const std::function<Result<Tensor>()>& make) const {
  if (folder_.empty()) return make();
  const std::string path = folder_ + "/" + name;
  if (const auto bytes = base::read_file(path))
    if (auto image = tensor::read_image(*bytes); image && image->tensors.contains("part"))
      return image->tensors.at("part");
  const Tensor part = TRY(make());
  TRY(base::make_dirs(folder_));
  TRY(base::write_file_atomic(path, tensor::image({{"part", part}}, {})));
  return part;
}

void Parts::clear() const {
  std::error_code ignored;  // leftover files are never read
  if (!folder_.empty()) std::filesystem::remove_all(folder_, ignored);
}

Result<PreparedPtr> prepare(std::string_view method, const Preparation& preparation,
                            const model::Model& model, const PreparationSource& source,
                            const base::Job& job) {
  const std::string key = base::sha256_hex(fmt::format("{} {} {} {}", method, preparation.version,
                                                       TRY(model.file_hash()), source.identity));
  const std::string folder = TRY(base::cache_dir()) + "/prepared";
  const std::string path = fmt::format("{}/{}-{}.safetensors", folder, method, key.substr(0, 32));
  if (const auto bytes = base::read_file(path))
    if (auto cached = preparation.deserialise(*bytes)) return std::move(*cached);
  job.report("preparing (once a model)");
  const Parts parts(path + ".parts");
  // In float32 for every way to compute: it is of the weights, and takes long.
  const PreparedPtr learned = TRY(preparation.learn(model.computing(tensor::Activations::kFloat),
                                                    TRY(source.make()), parts, job));
  TRY(base::make_dirs(folder));
  TRY(base::write_file_atomic(path, learned->serialise()));
  parts.clear();
  return learned;
}

}  // namespace expunge::unlearn
