#include "publish/publish.h"

#include "base/files.h"
#include "base/hash.h"
#include "base/version.h"
#include "model/role.h"
#include "publish/parts.h"

namespace expunge::publish {
namespace {

using base::Code;
using base::fail;
using base::Json;
using base::Result;

Json figures_of(const Exported& e, Format format) {
  Json edited = Json::array();
  for (const EditedTensor& t : e.edited)
    edited.push_back({{"tensor", t.tensor},
                      {"dtype", tensor::info(t.dtype).name},
                      {"relative_error", t.relative_error},
                      {"change_error", t.change_error}});
  return Json{{"expunge", base::kVersion},
              {"format", name(format)},
              {"sha256", e.sha256},
              {"size_bytes", e.size_bytes},
              {"edited", edited}};
}

Result<Json> provenance_of(const journal::Journal& journal) {
  const std::string chain = TRY(journal.chain());
  Json entries = Json::array();
  for (const journal::Entry& entry : TRY(journal.active()))
    entries.push_back(
        {{"id", entry.id}, {"edit_sha256", entry.edit_hash}, {"method", entry.method}});
  return Json{{"base_sha256", journal.model().file_hash}, {"entries", entries}, {"chain", chain}};
}

base::Status check_source(const model::Model& model, const ExportOptions& options) {
  if (!model.file())
    return fail(Code::kUnsupported, "the model comes from no file",
                "only models read from a GGUF or a Hugging Face folder can be exported");
  if (options.format != Format::kGguf || model.file()->format() == tensor::Format::kGguf) return {};
  const model::Arch& arch = model.arch();
  if (!model::name_to_gguf(arch, model::weight_name(arch, model::Role::kEmbedding)))
    return fail(Code::kUnsupported,
                fmt::format("llama.cpp knows no {}, so there is no GGUF of one", arch.family),
                "export as safetensors");
  return fail(Code::kUnsupported, "a GGUF is made from a GGUF only, this model is safetensors",
              "export as safetensors and convert it with llama.cpp's convert_hf_to_gguf.py");
}

}  // namespace

Result<Format> format_from_name(std::string_view text) {
  if (text == "gguf") return Format::kGguf;
  if (text == "safetensors") return Format::kSafetensors;
  if (text == "peft") return Format::kPeft;
  return fail(Code::kUsage, fmt::format("'{}' is not an export format", text),
              "gguf, safetensors and peft are");
}
std::string_view name(Format format) {
  return format == Format::kGguf ? "gguf" : format == Format::kSafetensors ? "safetensors" : "peft";
}

Json to_json(const Exported& e) {
  Json edited = Json::array();
  for (const EditedTensor& t : e.edited)
    edited.push_back({{"tensor", t.tensor},
                      {"dtype", tensor::info(t.dtype).name},
                      {"relative_error", t.relative_error},
                      {"change_error", t.change_error},
                      {"max_error", t.max_error}});
  return {{"path", e.path},      {"weights_file", e.weights_file},
          {"record", e.record},  {"size_bytes", e.size_bytes},
          {"sha256", e.sha256},  {"tensors", e.tensors},
          {"copied", e.copied},  {"edited", edited},
          {"seconds", e.seconds}};
}

namespace {

// Runs `write`, which writes the stage, fills in the figures and checks; then moves the stage into
// place, with its provenance next to it.
template <class F>
Result<Exported> staged(const Json& provenance, const ExportOptions& options, const base::Job& job,
                        const F& write) {
  const base::Stopwatch watch;
  Stage stage = TRY(Stage::make(options));
  const bool gguf = options.format == Format::kGguf;
  Exported e;
  TRY(write(stage, e));
  e.path = options.path;
  e.weights_file = weights_file(options.format, options.path);
  e.record = gguf ? options.path + ".expunge.json" : options.path + "/expunge.json";
  Json record = figures_of(e, options.format);
  record.update(provenance);
  const std::string text = base::dump_json(record, 2) + "\n";
  if (!gguf) TRY(base::write_file_atomic(stage.path() + "/expunge.json", text));
  TRY(job.check());
  TRY(stage.put_in_place(options));
  if (gguf) TRY(base::write_file_atomic(e.record, text));
  e.seconds = watch.seconds();
  return e;
}

// The model; nothing but the edited tensors may differ inside it.
Result<Exported> write_checked(const model::Model& model, const std::set<std::string>& edited,
                               const Json& provenance, const ExportOptions& options,
                               const base::Job& job) {
  return staged(provenance, options, job, [&](const Stage& stage, Exported& e) -> base::Status {
    TRY(options.format == Format::kGguf ? write_gguf(model, edited, options, stage, job)
                                        : write_folder(model, edited, options, stage, job));
    return recheck(model, edited, options, stage, e, job);
  });
}

}  // namespace

Result<Exported> export_model(const model::Model& model, const journal::Journal& journal,
                              const ExportOptions& options, const base::Job& job) {
  TRY(check_source(model, options));
  TRY(check_destination(model, options));
  return tensor::guarded([&]() -> Result<Exported> {
    if (options.format == Format::kPeft) {
      if (options.dtype)
        return fail(Code::kUsage, "an adapter is float32", "leave out the weight type");
      const edit::Edit edit = TRY(adapter_of(model, journal));
      return staged(TRY(provenance_of(journal)), options, job,
                    [&](const Stage& stage, Exported& e) {
                      return write_adapter(model, edit, options, stage, e);
                    });
    }
    const auto edited = TRY(recorded_changes(model, journal));
    return write_checked(model, edited, TRY(provenance_of(journal)), options, job);
  });
}

Result<Exported> save_trained(const model::Model& model, const Json& provenance,
                              const ExportOptions& options, const base::Job& job) {
  CHECK(options.format == Format::kSafetensors);
  TRY(check_source(model, options));
  TRY(check_destination(model, options));
  return tensor::guarded([&] {
    const auto edited = model.edited();
    return write_checked(model, {edited.begin(), edited.end()}, provenance, options, job);
  });
}

Result<Exported> save_adapter(const model::Model& model, const edit::Edit& edit,
                              const Json& provenance, const ExportOptions& options,
                              const base::Job& job) {
  CHECK(options.format == Format::kPeft);
  TRY(check_source(model, options));
  TRY(check_destination(model, options));
  return tensor::guarded([&] {
    return staged(provenance, options, job, [&](const Stage& stage, Exported& e) {
      return write_adapter(model, edit, options, stage, e);
    });
  });
}

}  // namespace expunge::publish
