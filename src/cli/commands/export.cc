// expunge export: the edited model as a file that other programs load, checked after writing.
#include "service/export.h"

#include "cli/access.h"
#include "cli/evidence.h"
#include "cli/layout.h"
#include "service/json.h"

namespace expunge::cli {
namespace {

using base::Code;
using base::fail;
using base::Result;

struct ExportFlags {
  std::string path, format = "gguf", type;
  bool force = false;
};

void print(Terminal& t, const publish::Exported& e, publish::Format format) {
  t.line("{} {} in {}", t.paint(Tone::kGood, "Written:"), printable(e.path), duration(e.seconds));
  if (format == publish::Format::kPeft) {
    t.line("  {:.1f} MB, for PEFT on the original weights",
           static_cast<double>(e.size_bytes) / 1e6);
    t.line("  Read again: the journal's edits bit for bit.");
    return;
  }
  t.line("  {:.1f} MB, {} tensors, {} of them byte for byte the model's",
         static_cast<double>(e.size_bytes) / 1e6, e.tensors, e.copied);
  for (const publish::EditedTensor& x : e.edited)
    t.line("  {}", fit(fmt::format("{}  {}  error {:.1e}, of the change {:.1e}", x.tensor,
                                   tensor::info(x.dtype).name, x.relative_error, x.change_error),
                       kColumns - 2));
}

// The gates of every active entry, run on the written file.
void print(Terminal& t, const service::ExportResult& result) {
  const auto each = [&](const service::VerifyResult& asked, std::string_view how) {
    for (const repair::Verified& v : asked.entries)
      t.line("{}, entry {}: {}", how, v.entry,
             v.now.passed() ? t.paint(Tone::kGood, "all gates pass")
                            : t.paint(Tone::kBad, wrap(failures(v.now), kColumns - 30, 2)));
  };
  const service::VerifyResult& gates = result.gates;
  each(gates, "Read again");
  each(result.runtime_gates, "As llama.cpp rounds");
  if (gates.entries.empty()) t.line("No active entry can be asked again.");
  if (gates.trained > 0)
    t.line("{} trained on sets, not asked: expunge eval MODEL asks them", gates.trained);
  if (gates.sealed > 0)
    t.line("{} sealed {} not asked: the journal no longer holds the words", gates.sealed,
           gates.sealed == 1 ? "entry was" : "entries were");
}

Result<publish::ExportOptions> export_options(const ExportFlags& o) {
  publish::ExportOptions options;
  options.format = TRY(publish::format_from_name(o.format));
  options.path = o.path;
  options.overwrite = o.force ? publish::Overwrite::kYes : publish::Overwrite::kNo;
  if (o.type.empty()) return options;
  options.dtype = tensor::dtype_from_name(o.type);
  if (!options.dtype)
    return fail(Code::kUsage, fmt::format("no weight type is called '{}'", printable(o.type)),
                "e.g. Q8_0, Q4_1, F16, F32");
  return options;
}

Result<Answer> export_model(const ExportFlags& o, Context& context) {
  const publish::ExportOptions options = TRY(export_options(o));
  const auto session = TRY(open_session(context, journal::Mode::kReadOrEmpty));
  const auto result = TRY(service::export_model(*session, options, context.job));
  print(context.terminal, result.exported, options.format);
  print(context.terminal, result);
  Answer answer{service::to_json(result)};
  if (!result.passed()) answer.exit_status = base::code_info(Code::kRefused).exit_status;
  return answer;
}

Action declare_export(Arguments& cli) {
  auto o = std::make_shared<ExportFlags>();
  cli.add_option("out", o->path, "a file (gguf) or a folder (safetensors, peft)")
      ->type_name("")
      ->required();
  cli.add_option("--format", o->format, "gguf, safetensors, or peft: a LoRA adapter (gguf)")
      ->type_name("NAME");
  cli.add_option("--type", o->type,
                 "Q8_0, Q4_1, F16, …: of edited matrices (gguf) or of all (safetensors)")
      ->type_name("TYPE");
  cli.add_flag("--force", o->force, "replace what is at OUT");
  return [o](Context& context) { return export_model(*o, context); };
}

}  // namespace

extern const Command command_export;
const Command command_export{
    "export", "write the edited model, read it again, ask it again",
    "Examples:\n  expunge export edited.gguf\n  expunge export edited --format safetensors\n"
    "Exit status 8: the written model fails a gate.",
    declare_export};

}  // namespace expunge::cli
