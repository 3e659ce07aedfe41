#include "service/agents.h"

#include <filesystem>

#include "publish/publish.h"

// The bytes of data/adapter/adapter_model.safetensors.
asm(R"(
.pushsection .rodata
.balign 64
expunge_adapter_begin:
.incbin ")" EXPUNGE_ADAPTER R"("
expunge_adapter_end:
.popsection
)");
extern "C" const char expunge_adapter_begin[], expunge_adapter_end[];

namespace expunge::service {

using base::Code;
using base::fail;
using base::Result;

namespace {

constexpr const char* kSystem = "expunge";  // as the adapter was trained

bool same_file(const std::string& a, const std::string& b) {
  std::error_code error;
  return std::filesystem::equivalent(a, b, error);
}

}  // namespace

Result<std::shared_ptr<const Agents>> Agents::open(const model::ChatModel& patient,
                                                   std::shared_ptr<Decoder> decoder) {
  const std::string path = TRY(model::find_model(""));
  const model::ChatModel base =
      same_file(path, patient.path) && patient.model.activations() == tensor::Activations::kFloat
          ? patient.with(patient.model.base())
          : TRY(model::load_chat_model(path));
  const auto adapters = TRY(publish::adapters_of(
      {expunge_adapter_begin, static_cast<size_t>(expunge_adapter_end - expunge_adapter_begin)}));
  for (const auto& [name, adapter] : adapters)
    if (!base.model.has(name) || base.model.param(name).shape() !=
                                     std::vector<int64_t>{adapter.u.size(0), adapter.s.size(1)})
      return fail(Code::kInternal,
                  fmt::format("the adapter of watchdog and surgeon does not fit {}", path));
  const std::shared_ptr<const Writer> writer =
      TRY(Writer::make(base.with(base.model.adapted(adapters)), kSystem, std::move(decoder)));
  return std::make_shared<const Agents>(writer, std::make_shared<agent::ModelSurgeon>(*writer));
}

}  // namespace expunge::service
