// Reads what was written as another program would and compares it with the model.
#include <algorithm>
#include <cmath>

#include "base/hash.h"
#include "model/stored.h"
#include "publish/parts.h"

namespace expunge::publish {
namespace {

using base::Code;
using base::fail;
using base::Result;
using tensor::DType;
using tensor::TensorInfo;

tl::unexpected<base::Error> wrong(const std::string& tensor, std::string_view what) {
  return fail(Code::kCorrupt, fmt::format("the written {} {}", tensor, what),
              "nothing was exported; is the disk or the memory failing?");
}

bool equal_bytes(const TensorInfo& a, const TensorInfo& b) {
  return a.dtype == b.dtype && a.shape == b.shape && std::ranges::equal(a.bytes, b.bytes);
}

// The largest change of a value by rounding to a type. Halves: half a unit in the last place, and
// float16's smallest step. Blocks: a step of the grid over the block's range, which for the
// symmetric types is reached at the end that the grid does not cover; 10 % for the rounded scale.
Tensor rounding_bound(const Tensor& values, DType dtype) {
  const Tensor size = values.abs();
  switch (dtype) {
    case DType::kF32:
      return at::zeros_like(values);
    case DType::kF16:
      return size * 0x1.01p-11 + 0x1p-24;
    case DType::kBF16:
      return size * 0x1.01p-8;
    default: {
      const double levels = dtype == DType::kQ8_0                            ? 255
                            : dtype == DType::kQ5_0 || dtype == DType::kQ5_1 ? 31
                                                                             : 15;
      const auto block = static_cast<int64_t>(tensor::info(dtype).block);
      const Tensor largest = std::get<0>(size.reshape({-1, block}).max(1, true));
      return (largest * (2.2 / levels) + 0x1p-24).expand({-1, block}).reshape(values.sizes());
    }
  }
}

base::Status check_rounding(const std::string& name, const Tensor& written, const Tensor& values,
                            DType dtype) {
  if (dtype == DType::kF32 && at::equal(written, values)) return {};
  if (!tensor::all_finite(written))
    return fail(Code::kNumeric,
                fmt::format("{} has values that {} cannot hold", name, tensor::info(dtype).name),
                "choose BF16 or F32");
  const Tensor beyond = (written - values).abs() - rounding_bound(values, dtype);
  if (beyond.numel() > 0 && beyond.max().item<float>() > 0)
    return wrong(name, "differs by more than rounding");
  return {};
}

EditedTensor measure(const model::Model& model, const std::string& name, const Tensor& written,
                     DType dtype) {
  const auto norm = [](const Tensor& t) {
    return std::sqrt(t.to(at::kDouble).square().sum().item<double>());
  };
  const Tensor values = model.param(name).value();
  const Tensor error = written - values;
  EditedTensor t{name, dtype, 0, 0, 0};
  const double size = norm(values), change = norm(values - model.base().param(name).value());
  t.relative_error = size > 0 ? norm(error) / size : 0;
  t.change_error = change > 0 ? norm(error) / change : 0;
  t.max_error = error.abs().max().item<double>();
  return t;
}

// Values of a stored tensor in our row order.
Tensor values_of(const model::Model& model, const std::string& name, const TensorInfo& stored,
                 Format format) {
  Tensor values = tensor::dequantised(stored.dtype, stored.bytes, stored.shape);
  if (format != Format::kGguf) values += model::checkpoint_offset(model.arch(), name);
  if (format == Format::kGguf)
    if (const auto order = model::gguf_row_order(model.arch(), name); !order.empty())
      values = values.index_select(0, at::tensor(order, tensor::i64()));
  return values;
}

// What the model uses of a tensor in the file.
std::vector<model::StoredPart> used_parts(const model::Model& model, const tensor::TensorFile& file,
                                          const TensorInfo& t) {
  auto parts = model::parts_of(model.arch(), file.format(), t);
  std::erase_if(parts, [&](const model::StoredPart& p) { return !model.has(p.name); });
  return parts;
}

base::Status check_layout(const tensor::TensorFile& source, const tensor::TensorFile& written) {
  if (written.meta().values != source.meta().values) return wrong("key-value table", "differs");
  if (written.tensors().size() != source.tensors().size())
    return wrong("tensor table", "has another length");
  for (size_t i = 0; i < source.tensors().size(); ++i)
    if (source.tensors()[i].name != written.tensors()[i].name ||
        source.tensors()[i].shape != written.tensors()[i].shape)
      return wrong(source.tensors()[i].name, "is missing or misshapen");
  return {};
}

}  // namespace

base::Status recheck(const model::Model& model, const std::set<std::string>& edited,
                     const ExportOptions& options, const Stage& stage, Exported& result,
                     const base::Job& job) {
  const auto written = TRY(tensor::TensorFile::open(stage.path()));
  const tensor::TensorFile& source = *model.file();
  const bool same_format =
      options.format == Format::kGguf || source.format() == tensor::Format::kSafetensors;
  if (options.format == Format::kGguf) TRY(check_layout(source, *written));
  std::set<std::string> seen;
  for (const TensorInfo& t : written->tensors()) {
    TRY(job.check());
    job.report("check", result.tensors, written->tensors().size());
    ++result.tensors;
    const auto parts = used_parts(model, *written, t);
    const TensorInfo* stored = same_format ? source.find(t.name) : nullptr;
    const bool copied = stored && equal_bytes(*stored, t);
    result.copied += copied;
    const auto changed = [&](const model::StoredPart& p) { return edited.contains(p.name); };
    const bool is_edited = std::ranges::any_of(parts, changed);
    for (const model::StoredPart& part : parts) seen.insert(part.name);
    if (!is_edited && copied) continue;
    if (!is_edited && (options.format == Format::kGguf || parts.empty()))
      return wrong(t.name, "differs from the source though it was not edited");
    for (const model::StoredPart& part : parts) {
      const Tensor values = values_of(model, part.name, part.info, options.format);
      TRY(check_rounding(t.name, values, model.param(part.name).value(), t.dtype));
      if (changed(part)) result.edited.push_back(measure(model, part.name, values, t.dtype));
    }
  }
  for (const auto& [name, param] : model.weights())
    if (!seen.contains(name)) return wrong(name, "is missing");
  const auto map = TRY(base::MappedFile::open(stage.weights_file(options.format)));
  result.size_bytes = map->bytes().size();
  result.sha256 = base::sha256_hex(map->bytes());
  return {};
}

}  // namespace expunge::publish
