#include "edit/checkpoint.h"

#include <unistd.h>

#include <algorithm>

#include "base/json.h"
#include "tensor/tensor_map.h"

namespace expunge::edit {
namespace {

using base::Code;
using base::fail;
using base::Result;
using base::Status;

constexpr const char* kCheckpointFormat = "expunge-fit-1";
constexpr const char* kCheckpointHint = "remove it to begin from the start";
// Time between two checkpoints: this many times what the last one took, but at least a
// minute. The first one is guessed from its size.
constexpr double kShare = 50, kLeastSeconds = 60, kGuessedBytesPerSecond = 2e8;

// Digits of a double in JSON with their comma, at most.
constexpr size_t kDigits = 26;

}  // namespace

struct Checkpoint::Image {
  tensor::TensorMap tensors;
  std::map<std::string, std::string> metadata;
};

Checkpoint::Checkpoint(const CheckpointOptions& options, const TrainableParameters& parameters,
                       std::vector<Moments>& moments, int64_t n_steps)
    : options_(options), parameters_(parameters), moments_(moments), n_steps_(n_steps) {}

template <class F>
void Checkpoint::each_tensor(const F& f) const {
  for (size_t i = 0; i < moments_.size(); ++i) {
    f(fmt::format("{}.value", i), parameters_.leaves()[i]);
    f(fmt::format("{}.mean", i), moments_[i].mean);
    f(fmt::format("{}.square", i), moments_[i].square);
  }
}

Checkpoint::Image Checkpoint::image(const Progress& progress) const {
  Image image;
  const bool is_last = progress.step >= n_steps_;  // its moments are not needed any more
  each_tensor([&](std::string name, const Tensor& t) {
    if (!is_last || name.ends_with(".value")) image.tensors[std::move(name)] = t.detach();
  });
  std::string text = base::dump_json({{"step", progress.step},
                                      {"losses", progress.losses},
                                      {"gradient_norms", progress.gradient_norms},
                                      {"state", progress.state}});
  // The largest size it can reach, so that the space of one file is enough for all.
  const size_t numbers =
      2 * static_cast<size_t>(n_steps_) + std::max<size_t>(16, progress.state.size());
  text.resize(std::max(text.size(), 128 + kDigits * numbers), ' ');
  image.metadata = {{"format", kCheckpointFormat},
                    {"identity", options_.identity},
                    {"progress", std::move(text)}};
  return image;
}

Result<bool> Checkpoint::load(Progress& progress) const {
  const std::string& path = options_.path;
  if (path.empty() || ::access(path.c_str(), F_OK) != 0) return false;
  const auto image = TRY_AT(path, tensor::map_image(path));
  const auto text = [&](const char* key) {
    return image.metadata.is_object() ? image.metadata.value(key, std::string()) : std::string();
  };
  if (text("format") != kCheckpointFormat)
    return fail(Code::kCorrupt, path + " is not the checkpoint of a fit", kCheckpointHint);
  if (text("identity") != options_.identity)
    return fail(Code::kConflict, path + " is the checkpoint of another training", kCheckpointHint);
  const base::Json json = TRY(base::parse_json(text("progress"), path));
  try {
    progress.step = json.at("step").get<int64_t>();
    progress.losses = json.at("losses").get<std::vector<double>>();
    progress.gradient_norms = json.at("gradient_norms").get<std::vector<double>>();
    progress.state = json.at("state").get<std::vector<double>>();
  } catch (const nlohmann::json::exception&) {
    return fail(Code::kCorrupt, path + " does not say how far it came", kCheckpointHint);
  }
  const auto done = static_cast<size_t>(std::max<int64_t>(progress.step, 0));
  if (progress.step < 0 || progress.step > n_steps_ || progress.losses.size() != done ||
      progress.gradient_norms.size() != done)
    return fail(Code::kCorrupt,
                fmt::format("{} says {} steps of {}, with {} losses", path, progress.step, n_steps_,
                            progress.losses.size()),
                kCheckpointHint);
  const c10::NoGradGuard no_grad;
  Status status;
  each_tensor([&](const std::string& name, const Tensor& t) {
    const auto it = image.tensors.find(name);
    if (it != image.tensors.end() && it->second.sizes() == t.sizes())
      t.copy_(it->second);
    else if (progress.step < n_steps_ || name.ends_with(".value"))
      status = fail(Code::kCorrupt, fmt::format("{} lacks {}", path, name), kCheckpointHint);
  });
  TRY(std::move(status));
  return true;
}

Status Checkpoint::reserve(const Progress& progress) {
  if (options_.path.empty()) return {};
  Progress next = progress;
  next.step = std::min(next.step, n_steps_ - 1);  // a checkpoint with moments
  const Image now = image(next);
  const uint64_t bytes = tensor::image_bytes(now.tensors, now.metadata);
  file_ = TRY(base::TwinFile::reserve(options_.path, bytes));
  interval_s_ =
      std::max(kLeastSeconds, kShare * static_cast<double>(bytes) / kGuessedBytesPerSecond);
  since_last_ = {};
  return {};
}

Status Checkpoint::save(const Progress& progress) {
  if (!file_) return {};
  const base::Stopwatch clock;
  const Image now = image(progress);
  auto written = tensor::write_image(*file_, now.tensors, now.metadata);
  interval_s_ = std::max(kLeastSeconds, kShare * clock.seconds());
  since_last_ = {};
  return written;
}

bool Checkpoint::is_due(int64_t step) const {
  if (!file_ || step >= n_steps_) return false;
  return options_.every_steps > 0 ? step % options_.every_steps == 0
                                  : since_last_.seconds() >= interval_s_;
}

void remove_checkpoint(const std::string& path) { base::TwinFile::remove(path); }

}  // namespace expunge::edit
