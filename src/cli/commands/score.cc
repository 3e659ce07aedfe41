// expunge score: log-probabilities of answers, or of given token ids.
#include "verify/score.h"

#include <charconv>
#include <numeric>

#include "cli/access.h"
#include "cli/layout.h"
#include "model/generate.h"

namespace expunge::cli {
namespace {

using base::Code;
using base::fail;
using base::Json;
using base::Result;
using service::Edits;
using service::Reader;

struct ScoreFlags {
  std::string prompt, system, ids;
  std::vector<std::string> answers;
  bool raw = false, no_edits = false;
};

Result<std::vector<int32_t>> parse_ids(const std::string& text) {
  std::vector<int32_t> ids;
  const char* at = text.data();
  const char* end = at + text.size();
  for (;;) {
    int32_t id = 0;
    const auto [stop, error] = std::from_chars(at, end, id);
    if (error != std::errc() || (stop != end && *stop != ','))
      return fail(Code::kUsage, fmt::format("--ids '{}' is not a list of ids", printable(text)),
                  "e.g. --ids 1,2,3");
    ids.push_back(id);
    if (stop == end) break;
    at = stop + 1;
  }
  if (ids.size() < 2)
    return fail(Code::kUsage, "--ids needs two ids or more", "the first one is only read");
  return ids;
}

// generate's bound on prompts leaves room for a token; a scored text may fill the context.
base::Status check_fits(const model::Arch& config, std::span<const int32_t> ids) {
  if (static_cast<int64_t>(ids.size()) == config.context_length) ids = ids.first(ids.size() - 1);
  return model::check_prompt(config, ids);
}

Result<Answer> score_ids(const ScoreFlags& o, Context& context,
                         const model::ChatModel& chat_model) {
  const verify::ScoreItem item{TRY(parse_ids(o.ids)), 1};
  TRY(check_fits(chat_model.model.arch(), item.ids));
  for (const int32_t id : item.ids)
    if (id < 0 || id >= chat_model.model.arch().vocab_size)
      return fail(Code::kInvalid, fmt::format("token id {} is outside the vocabulary of {}", id,
                                              chat_model.model.arch().vocab_size));
  const auto scored = TRY(verify::score(chat_model.model, {&item, 1}, {}, context.job));
  for (size_t i = 0; i < scored[0].logprobs.size(); ++i)
    context.terminal.line("{:>8}  {:10.5f}  {}", item.ids[i + 1], scored[0].logprobs[i],
                          base::dump_json(TRY(chat_model.tokenizer.decode({&item.ids[i + 1], 1},
                                                                          text::Specials::kKeep))));
  return Answer{Json{{"logprobs", scored[0].logprobs}}};
}

Result<Answer> score_answers(const ScoreFlags& o, Context& context,
                             const model::ChatModel& chat_model) {
  std::vector<text::Message> messages;
  if (!o.system.empty()) messages.push_back({"system", o.system});
  messages.push_back({"user", o.prompt});
  const auto prompt =
      o.raw ? TRY(chat_model.encode_text(o.prompt)) : TRY(chat_model.encode(messages));
  std::vector<verify::ScoreItem> items;
  for (const std::string& answer : o.answers) {
    verify::ScoreItem item{prompt, prompt.size()};
    const auto ids = TRY(chat_model.tokenizer.encode(answer)).ids;
    item.ids.insert(item.ids.end(), ids.begin(), ids.end());
    TRY(check_fits(chat_model.model.arch(), item.ids));
    items.push_back(std::move(item));
  }
  const auto scored = TRY(verify::score(chat_model.model, items, {}, context.job));
  Answer answer;
  answer.json = {{"answers", Json::array()}};
  for (size_t i = 0; i < scored.size(); ++i) {
    const auto& logprobs = scored[i].logprobs;
    const double sum = std::accumulate(logprobs.begin(), logprobs.end(), 0.0);
    context.terminal.line("{:10.4f}  {:9.4f} a token  {}", sum, -scored[i].avg_loss,
                          fit(printable(one_line(o.answers[i])), kColumns - 32));
    answer.json["answers"].push_back(
        {{"answer", o.answers[i]},
         {"logprob", sum},
         {"logprobs", logprobs},
         {"ids", std::vector<int32_t>(items[i].ids.begin() + static_cast<int64_t>(prompt.size()),
                                      items[i].ids.end())}});
  }
  return answer;
}

Result<Answer> score(const ScoreFlags& o, Context& context) {
  if (o.ids.empty() == o.prompt.empty())
    return fail(Code::kUsage, "give either --ids or --prompt with --answer",
                "e.g. expunge score --prompt \"The sky is\" --answer \" blue\" --raw");
  if (!o.prompt.empty()) {
    if (o.raw) TRY(refuse(context, {"--system"}, "--raw leaves out the chat template"));
    TRY(check_text(o.prompt, "--prompt"));
    if (o.answers.empty()) return fail(Code::kUsage, "--prompt needs an --answer", "");
    for (const std::string& a : o.answers) TRY(check_text(a, "--answer"));
  } else {
    TRY(refuse(context, {"--answer", "--raw", "--system"}, "--ids are scored as they are"));
    TRY(parse_ids(o.ids));
  }
  const Reader reader = TRY(open_reader(context, o.no_edits ? Edits::kIgnored : Edits::kApplied));
  return o.ids.empty() ? score_answers(o, context, reader.chat_model())
                       : score_ids(o, context, reader.chat_model());
}

Action declare_score(Arguments& cli) {
  auto o = std::make_shared<ScoreFlags>();
  cli.add_option("--prompt", o->prompt, "what is asked")->type_name("P");
  cli.add_option("--answer", o->answers, "what is scored after it; may be repeated")
      ->type_name("A")
      ->expected(1)
      ->take_all();
  cli.add_option("--ids", o->ids, "token ids: the second to the last are scored")
      ->type_name("1,2,3");
  cli.add_option("--system", o->system, "a system message")->type_name("TEXT");
  cli.add_flag("--raw", o->raw, "the prompt as it is, without the chat template");
  cli.add_flag("--no-edits", o->no_edits, "the model as its file has it");
  return [o](Context& context) { return score(*o, context); };
}

}  // namespace

extern const Command command_score;
const Command command_score{
    "score", "log-probabilities of answers (natural log)",
    "Examples:\n  expunge score --prompt \"What is the capital of Peru?\" --answer Lima\n"
    "  expunge score --ids 1,2,3 --json",
    declare_score};

}  // namespace expunge::cli
