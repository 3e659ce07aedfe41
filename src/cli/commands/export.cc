// expunge export: the edited model as a file that other programs load, asked again after writing.
#include "cli/access.h"
#include "cli/evidence.h"
#include "cli/layout.h"
#include "cli/signals.h"
#include "publish/publish.h"
#include "service/entries.h"

namespace expunge::cli {
namespace {

using base::Code;
using base::fail;
using base::Json;
using base::Result;

struct Options {
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

// What was written; of an adapter, the original weights with it.
Result<model::ChatModel> load_written(const std::string& path, publish::Format format,
                                      const service::Session& session) {
  if (format != publish::Format::kPeft) return model::load_chat_model(path);
  const edit::Edit adapter = TRY(publish::read_adapter(path));
  model::ChatModel patient = TRY(model::load_chat_model(session.present().path));
  patient.model = TRY(edit::apply(patient.model, adapter));
  return patient;
}

// The gates of every active entry, asked of the file that was written.
Result<Json> ask_written(const std::string& path, publish::Format format, service::Session& session,
                         Terminal& t) {
  size_t sealed = 0, trained = 0, asked = 0;
  for (const journal::Entry& e : TRY(session.active()))
    ++(e.sealed ? sealed : service::is_trained(e) ? trained : asked);
  Json json = {
      {"passed", true}, {"sealed", sealed}, {"trained", trained}, {"entries", Json::array()}};
  if (asked > 0) {
    const model::ChatModel written =
        TRY_AT("the written model", load_written(path, format, session));
    const auto verified =
        TRY(session.verify(0, &written, foreground_job().reporting(t.progress())));
    t.clear_progress();
    for (const repair::Verified& v : verified) {
      const bool passed = v.now.passed();
      t.line("Read again, entry {}: {}", v.entry,
             passed ? t.paint(Tone::kGood, "all gates pass")
                    : t.paint(Tone::kBad, wrap(failures(v.now), kColumns - 26, 2)));
      Json one = verify::to_json(v.now, verify::Detail::kFigures);
      one["entry"] = v.entry;
      json["entries"].push_back(std::move(one));
      if (!passed) json["passed"] = false;
    }
  } else {
    t.line("No active entry can be asked again.");
  }
  if (trained > 0) t.line("{} trained on sets, not asked: expunge eval MODEL asks them", trained);
  if (sealed > 0)
    t.line("{} sealed {} not asked: the journal no longer holds the words", sealed,
           sealed == 1 ? "entry was" : "entries were");
  return json;
}

Result<Answer> export_model(const Options& o, Context& context) {
  publish::ExportOptions options;
  options.format = TRY(publish::format_from_name(o.format));
  options.path = o.path;
  options.overwrite = o.force ? publish::Overwrite::kYes : publish::Overwrite::kNo;
  const base::Job job = foreground_job().reporting(context.terminal.progress());
  if (!o.type.empty()) {
    options.dtype = tensor::dtype_from_name(o.type);
    if (!options.dtype)
      return fail(Code::kUsage, fmt::format("no weight type is called '{}'", printable(o.type)),
                  "e.g. Q8_0, Q4_1, F16, F32");
  }
  const auto session = TRY(open_session(context, journal::Mode::kReadOrEmpty));
  const auto exported = TRY(session->with_journal([&](journal::Journal& journal) {
    return publish::export_model(session->present().model, journal, options, job);
  }));
  context.terminal.clear_progress();
  print(context.terminal, exported, options.format);
  Answer answer;
  answer.json = publish::to_json(exported);
  answer.json["gates"] =
      TRY(ask_written(exported.path, options.format, *session, context.terminal));
  if (!answer.json["gates"]["passed"].get<bool>())
    answer.exit_status = base::code_info(Code::kRefused).exit_status;
  return answer;
}

Action declare(Arguments& cli) {
  auto o = std::make_shared<Options>();
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
    declare};

}  // namespace expunge::cli
