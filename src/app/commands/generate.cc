// expunge generate: plain generation by the model as it is now, edits included.
#include "model/generate.h"

#include "app/access.h"
#include "app/layout.h"

namespace expunge::app {
namespace {

using base::Code;
using base::Json;
using base::Result;

struct Options {
  std::string prompt, system, batch;
  bool raw = false, no_edits = false;
  model::GenerateOptions generate;
};

struct Prompt {
  std::string text, system;
};

Result<std::vector<int32_t>> encode(const model::ChatModel& patient, const Prompt& p, bool raw) {
  if (raw) return TRY(patient.tokenizer.encode(p.text)).ids;
  std::vector<text::Message> messages;
  if (!p.system.empty()) messages.push_back({"system", p.system});
  messages.push_back({"user", p.text});
  return patient.encode(messages);
}

Result<std::vector<Prompt>> prompts(const Options& o) {
  std::vector<Prompt> list;
  if (o.batch.empty()) {
    const std::string text = o.prompt.empty() || o.prompt == "-" ? TRY(read_stdin()) : o.prompt;
    TRY(check_text(text, "the prompt"));
    list.push_back({text, o.system});
  } else {
    for (const Json& line : TRY(base::read_jsonl(o.batch))) {
      const std::string where = fmt::format("{}, prompt {}", o.batch, list.size() + 1);
      const Json& text = line.is_object() && line.contains("prompt") ? line["prompt"] : line;
      if (!text.is_string())
        return base::fail(Code::kInvalid, where + " is not a text",
                          R"(a line is "…" or {"prompt": "…", "system": "…"})");
      TRY(check_text(text.get_ref<const std::string&>(), where));
      const bool own = line.is_object() && line.contains("system") && line["system"].is_string();
      list.push_back({text.get<std::string>(), own ? line["system"].get<std::string>() : o.system});
    }
    if (list.empty())
      return base::fail(Code::kInvalid, fmt::format("'{}' holds no prompt", o.batch),
                        R"(a line is "…" or {"prompt": "…", "system": "…"})");
  }
  return list;
}

std::string_view stop_name(model::Stop stop) {
  return stop == model::Stop::kEndOfTurn ? "end_of_turn"
         : stop == model::Stop::kLength  ? "length"
                                         : "caller";
}

// Text as it comes, for a single prompt that is not answered in JSON.
class Stream {
 public:
  Stream(Terminal& terminal, const text::Tokenizer& tokenizer)
      : terminal_(terminal), decoder_(tokenizer) {}
  model::Next operator()(std::span<const int32_t> ids) {
    if (const auto piece = decoder_.push(ids.back())) terminal_.print(printable(*piece));
    return model::Next::kGoOn;
  }
  void finish() {
    if (const auto rest = decoder_.finish()) terminal_.print(printable(*rest));
    terminal_.print("\n");
  }

 private:
  Terminal& terminal_;
  text::StreamDecoder decoder_;
};

Result<Answer> generate(const Options& o, Context& context) {
  TRY(check_text(o.system.empty() ? "-" : o.system, "--system"));
  const auto list = TRY(prompts(o));
  const Reader reader = TRY(Reader::open(context, o.no_edits ? Edits::kIgnored : Edits::kApplied));
  const model::ChatModel& patient = reader.patient();
  std::vector<std::vector<int32_t>> ids;
  for (const Prompt& p : list) ids.push_back(TRY(encode(patient, p, o.raw)));
  Stream stream(context.terminal, patient.tokenizer);
  const bool streamed = o.batch.empty() && !context.globals.json;
  const base::Progress progress = context.terminal.progress();
  size_t tokens = 0;
  const auto results = TRY(model::generate(
      patient.model, ids, o.generate, {}, [&](size_t, std::span<const int32_t> so_far) {
        if (streamed) return stream(so_far);
        progress(fmt::format("{} tokens generated", ++tokens), 0, 0);
        return model::Next::kGoOn;
      }));
  if (streamed) stream.finish();
  Json items = Json::array();
  for (size_t i = 0; i < results.size(); ++i) {
    const std::string text = TRY(patient.tokenizer.decode(results[i].ids));
    if (!o.batch.empty()) context.terminal.line("{}", base::dump_json(text));
    items.push_back({{"text", text},
                     {"ids", results[i].ids},
                     {"stop", stop_name(results[i].stop)},
                     {"prompt_tokens", ids[i].size()}});
  }
  return Answer{o.batch.empty() ? items[0] : Json{{"items", items}}};
}

Action declare(CLI::App& cli) {
  auto o = std::make_shared<Options>();
  cli.add_option("prompt", o->prompt, "what is asked; default or '-': stdin")->type_name("");
  cli.add_option("--system", o->system, "a system message")->type_name("TEXT");
  cli.add_flag("--raw", o->raw, "the prompt as it is, without the chat template");
  cli.add_option("--batch", o->batch,
                 "JSON lines, each a text or {prompt, system}; one answer a line")
      ->type_name("FILE")
      ->excludes("prompt");
  cli.add_flag("--no-edits", o->no_edits, "the model as its file has it");
  auto& g = o->generate;
  cli.add_option("--max-tokens", g.max_new_tokens, "at most (256)")
      ->type_name("N")
      ->check(CLI::Range(1, 1000000));
  cli.add_option("--temperature", g.sampling.temperature, "0: the likeliest token (0)")
      ->type_name("T");
  cli.add_option("--top-k", g.sampling.top_k, "the K likeliest tokens; 0: all (0)")->type_name("K");
  cli.add_option("--top-p", g.sampling.top_p, "the likeliest with this share (1)")->type_name("P");
  cli.add_option("--min-p", g.sampling.min_p, "at least this share of the likeliest (0)")
      ->type_name("P");
  cli.add_option("--repetition-penalty", g.sampling.repetition_penalty, "on tokens seen (1)")
      ->type_name("R");
  cli.add_option("--seed", g.sampling.seed, "of the sampling (0)")->type_name("N");
  return [o](Context& context) { return generate(*o, context); };
}

}  // namespace

extern const Command command_generate;
const Command command_generate{
    "generate", "one reply, or many from a file",
    "Examples:\n  expunge generate \"What is the capital of Canada?\"\n"
    "  echo \"Once upon a time\" | expunge generate --raw --max-tokens 40",
    declare};

}  // namespace expunge::app
