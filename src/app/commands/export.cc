// expunge export: the edited model as a file that other programs load, asked again after writing.
#include "app/access.h"
#include "app/layout.h"
#include "app/shipped.h"
#include "publish/publish.h"

namespace expunge::app {
namespace {

using base::Code;
using base::fail;
using base::Json;
using base::Result;

struct Options {
  std::string path, format = "gguf", type;
  bool force = false;
};

void print(Terminal& t, const publish::Exported& e, const Shipped& s) {
  t.line("{} {} in {}", t.paint(Tone::kGood, "Written:"), printable(e.path), duration(e.seconds));
  t.line("  {:.1f} MB, {} tensors, {} of them byte for byte the model's",
         static_cast<double>(e.size_bytes) / 1e6, e.tensors, e.copied);
  for (const publish::EditedTensor& x : e.edited)
    t.line("  {}", fit(fmt::format("{}  {}  error {:.1e}, of the change {:.1e}", x.tensor,
                                   tensor::info(x.dtype).name, x.relative_error, x.change_error),
                       kColumns - 2));
  if (s.asked == 0)
    t.line("No active entry can be asked again.");
  else
    t.line("Read again and asked: {} of {} questions still forgotten ({} entries)",
           t.paint(s.forgotten == s.asked ? Tone::kGood : Tone::kBad, std::to_string(s.forgotten)),
           s.asked, s.entries.size());
  for (const ShippedEntry& entry : s.entries)
    for (const std::string& leak : entry.leaks)
      t.line("  entry {} leaks: {}", entry.id, fit(printable(one_line(leak)), kColumns - 20));
  if (s.sealed > 0)
    t.line("{} sealed {} not asked: the journal no longer holds the words", s.sealed,
           s.sealed == 1 ? "entry was" : "entries were");
}

Result<Answer> export_model(const Options& o, Context& context) {
  publish::ExportOptions options;
  options.format = TRY(publish::format_from_name(o.format));
  options.path = o.path;
  options.overwrite = o.force ? publish::Overwrite::kYes : publish::Overwrite::kNo;
  options.progress = context.terminal.progress();
  if (!o.type.empty()) {
    options.dtype = tensor::dtype_from_name(o.type);
    if (!options.dtype)
      return fail(Code::kUsage, fmt::format("no weight type is called '{}'", printable(o.type)),
                  "e.g. Q8_0, Q4_1, F16, F32");
  }
  const auto session = TRY(open_session(context));
  const auto exported =
      TRY(publish::export_model(*session->patient().model, session->journal(), options));
  context.terminal.progress()("asking the written model", 0, 0);
  const Shipped shipped = TRY(ask_shipped(exported.path, session->journal()));
  print(context.terminal, exported, shipped);
  Answer answer;
  answer.json = publish::to_json(exported);
  answer.json["gates"] = to_json(shipped);
  if (shipped.forgotten < shipped.asked)
    answer.exit_status = base::code_info(Code::kRefused).exit_status;
  return answer;
}

Action declare(CLI::App& cli) {
  auto o = std::make_shared<Options>();
  cli.add_option("out", o->path, "a file (gguf) or a folder (safetensors)")
      ->type_name("")
      ->required();
  cli.add_option("--format", o->format, "gguf or safetensors (gguf)")->type_name("NAME");
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
    "Exit status 8: the written model reveals what was forgotten.",
    declare};

}  // namespace expunge::app
