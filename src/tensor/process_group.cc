#include "tensor/process_group.h"

#include <charconv>
#include <cstdlib>
#include <cstring>

#pragma push_macro("CHECK")
#undef CHECK
#define USE_C10D_GLOO
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#undef CHECK
#pragma pop_macro("CHECK")

namespace expunge::tensor {
namespace {

using base::Code;
using base::fail;
using base::Result;
using base::Status;

constexpr const char* kHint =
    "torchrun --no-python sets RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT";

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

Result<int> number(const char* name, int low, int high) {
  const std::string text = environment(name);
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < low || value > high)
    return fail(Code::kUsage, fmt::format("{} is '{}', expected {} to {}", name, text, low, high),
                kHint);
  return value;
}

// LibTorch passes on the exceptions of Gloo and the store.
template <class F>
Status together(const F& f) {
  try {
    f();
    return {};
  } catch (const std::exception& e) {
    const std::string what = e.what();
    return fail(
        Code::kIo,
        "the other processes of the group do not answer: " + what.substr(0, what.find('\n')),
        "all of them have to be started, and none may have ended");
  }
}

}  // namespace

struct ProcessGroup::Parts {
  c10::intrusive_ptr<c10d::ProcessGroupGloo> gloo;
};

ProcessGroup::ProcessGroup(int rank, int size, std::unique_ptr<Parts> parts)
    : rank_(rank), size_(size), parts_(std::move(parts)) {}
ProcessGroup::~ProcessGroup() = default;

Result<std::unique_ptr<ProcessGroup>> ProcessGroup::join() {
  if (environment("WORLD_SIZE").empty()) return nullptr;
  const int size = TRY(number("WORLD_SIZE", 1, 1 << 16));
  if (size == 1) return nullptr;
  const int rank = TRY(number("RANK", 0, size - 1));
  const int port = TRY(number("MASTER_PORT", 1, 65534));
  const std::string address = environment("MASTER_ADDR");
  if (address.empty()) return fail(Code::kUsage, "MASTER_ADDR is not set", kHint);
  auto parts = std::make_unique<Parts>();
  TRY(together([&] {
    c10d::TCPStoreOptions options;
    // Under torchrun its own store, with its version's protocol, occupies the port.
    const bool taken = environment("TORCHELASTIC_USE_AGENT_STORE") == "True";
    options.port = static_cast<std::uint16_t>(port + (taken ? 1 : 0));
    options.isServer = rank == 0;
    options.numWorkers = static_cast<size_t>(size);
    options.waitWorkers = false;
    const auto store = c10::make_intrusive<c10d::TCPStore>(address, options);
    const auto own = c10::make_intrusive<c10d::PrefixStore>(
        "expunge/" + environment("TORCHELASTIC_RESTART_COUNT"), store);
    auto gloo = c10d::ProcessGroupGloo::Options::create();
    gloo->devices.push_back(c10d::ProcessGroupGloo::createDefaultDevice());
    parts->gloo = c10::make_intrusive<c10d::ProcessGroupGloo>(own, rank, size, gloo);
  }));
  return std::unique_ptr<ProcessGroup>(new ProcessGroup(rank, size, std::move(parts)));
}

Status ProcessGroup::sum(std::span<const Tensor> tensors) {
  return together([&] {
    for (const Tensor& t : tensors) {
      std::vector<at::Tensor> one{t.detach()};
      parts_->gloo->allreduce(one)->wait();
    }
  });
}

Status ProcessGroup::broadcast(std::span<const Tensor> tensors) {
  return together([&] {
    for (const Tensor& t : tensors) {
      std::vector<at::Tensor> one{t.detach()};
      parts_->gloo->broadcast(one)->wait();
    }
  });
}

Result<bool> ProcessGroup::any(bool own) {
  const Tensor said = at::full({1}, own ? 1.0 : 0.0, f32());
  TRY(sum({{said}}));
  return said.item<float>() > 0;
}

Result<std::vector<std::string>> ProcessGroup::gather(const std::string& own) {
  const Tensor lengths = at::zeros({size_}, i64());
  lengths.data_ptr<int64_t>()[rank_] = static_cast<int64_t>(own.size());
  TRY(sum({{lengths}}));
  const int64_t longest = lengths.max().item<int64_t>();
  const Tensor bytes = at::zeros({size_, longest}, at::kByte);  // disjoint rows: a sum joins them
  std::memcpy(bytes.data_ptr<uint8_t>() + rank_ * longest, own.data(), own.size());
  TRY(sum({{bytes}}));
  std::vector<std::string> all;
  for (int r = 0; r < size_; ++r)
    all.emplace_back(reinterpret_cast<const char*>(bytes.data_ptr<uint8_t>() + r * longest),
                     static_cast<size_t>(lengths.data_ptr<int64_t>()[r]));
  return all;
}

}  // namespace expunge::tensor
