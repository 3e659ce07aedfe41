// expunge generate: plain generation by the model as it is now, edits included.
#include "service/generate.h"

#include "cli/access.h"
#include "cli/layout.h"
#include "service/json.h"

namespace expunge::cli {
namespace {

using base::Code;
using base::Json;
using base::Result;
using service::Edits;
using service::Prompt;
using service::Reader;

struct GenerateFlags {
  std::string prompt, system, batch;
  bool raw = false, no_edits = false;
  model::GenerateOptions generate;
};

base::Status check(const GenerateFlags& o, const Context& context) {
  TRY(check_text(o.system.empty() ? "-" : o.system, "--system"));
  if (o.raw) TRY(refuse(context, {"--system"}, "--raw leaves out the chat template"));
  if (o.generate.sampling.temperature == 0)
    TRY(refuse(context, {"--top-k", "--top-p", "--min-p", "--seed"},
               "at --temperature 0 the likeliest token is taken"));
  return {};
}

Result<std::vector<Prompt>> prompts(const GenerateFlags& o, const base::Job& job) {
  std::vector<Prompt> list;
  if (o.batch.empty()) {
    const std::string text = o.prompt.empty() || o.prompt == "-" ? TRY(read_stdin(job)) : o.prompt;
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
      if (own && o.raw)
        return base::fail(Code::kInvalid, where + " has a system message",
                          "leave it out, or --raw, which leaves out the chat template");
      list.push_back({text.get<std::string>(), own ? line["system"].get<std::string>() : o.system});
    }
    if (list.empty())
      return base::fail(Code::kInvalid, fmt::format("'{}' holds no prompt", o.batch),
                        R"(a line is "…" or {"prompt": "…", "system": "…"})");
  }
  return list;
}

Result<Answer> generate(const GenerateFlags& o, Context& context) {
  Terminal& t = context.terminal;
  TRY(check(o, context));
  const auto list = TRY(prompts(o, context.job));
  const Reader reader = TRY(open_reader(context, o.no_edits ? Edits::kIgnored : Edits::kApplied));
  // A single prompt's text is shown as it comes.
  service::OnText show;
  if (o.batch.empty() && !t.json())
    show = [&t](size_t, std::string_view piece) { t.print(printable(piece)); };
  const auto replies = TRY(service::generate(
      reader.chat_model(), list, o.raw ? service::Prompting::kRaw : service::Prompting::kChat,
      o.generate, show, context.job));
  if (show) t.line("");
  Json items = Json::array();
  for (const service::Reply& reply : replies) {
    if (!o.batch.empty()) t.line("{}", base::dump_json(reply.text));
    items.push_back(service::to_json(reply));
  }
  return Answer{o.batch.empty() ? items[0] : Json{{"items", items}}};
}

Action declare_generate(Arguments& cli) {
  auto o = std::make_shared<GenerateFlags>();
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
      ->range(1, 1000000);
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
    declare_generate};

}  // namespace expunge::cli
