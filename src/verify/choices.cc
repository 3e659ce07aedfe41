#include "verify/choices.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <tuple>

#include "text/trim.h"
#include "verify/place.h"
#include "verify/score.h"

namespace expunge::verify {
namespace {

using base::Code;
using base::Result;
using base::Status;
using text::ChoiceItem;

using Items = std::vector<const ChoiceItem*>;

constexpr size_t kChoiceBlock = 128;  // items scored in one pass

std::map<std::string, Items> by_subject(std::span<const ChoiceItem> items) {
  std::map<std::string, Items> subjects;
  for (const ChoiceItem& item : items) subjects[item.subject].push_back(&item);
  return subjects;
}

size_t length(const ScoreItem& item) { return item.ids.size(); }

char letter(size_t option) { return static_cast<char>('A' + option); }

// The question up to "Answer:", its outer blanks left out as the peer's templates do.
std::string question_of(const ChoiceItem& item) {
  std::string text(text::trimmed(item.question));
  for (size_t o = 0; o < item.options.size(); ++o)
    text += fmt::format("\n{}. {}", letter(o), item.options[o]);
  return text + "\nAnswer:";
}

// One item to score for each option. A token may span the prompt's end: all are scored from the
// first place where one differs from the prompt, so that all see the same context.
Result<std::vector<ScoreItem>> encode_options(const model::ChatModel& chat_model,
                                              const ChoiceItem& item, const std::string& prompt,
                                              PromptForm form) {
  const std::vector<text::Message> messages = {{"user", prompt}};
  const auto encoded = [&](const std::string& reply) -> Result<std::vector<int32_t>> {
    if (form == PromptForm::kChat) return chat_model.encode(messages, reply);
    return chat_model.encode_text(reply.empty() ? prompt : prompt + " " + reply);
  };
  const std::vector<int32_t> alone = TRY(encoded(""));
  size_t first = alone.size();
  std::vector<ScoreItem> out;
  for (size_t o = 0; o < item.options.size(); ++o) {
    ScoreItem scored;
    scored.ids = TRY(encoded(std::string(1, letter(o))));
    const auto differs = std::ranges::mismatch(alone, scored.ids).in1 - alone.begin();
    first = std::min(first, static_cast<size_t>(differs));
    out.push_back(std::move(scored));
  }
  for (ScoreItem& scored : out) scored.first = std::max<size_t>(first, 1);
  return out;
}

class ChoicePass {
 public:
  ChoicePass(const model::ChatModel& chat_model, const ChoiceOptions& options,
             std::vector<ChoiceRecord> done, const base::Job& job)
      : chat_model_(chat_model),
        options_(options),
        job_(job),
        examples_(by_subject(options.examples)) {
    result_.records = std::move(done);
  }

  Result<Choices> run(std::span<const ChoiceItem> items) {
    const auto subjects = by_subject(items);
    if (!examples_.empty())
      for (const auto& [subject, own] : subjects)
        if (!examples_.contains(subject))
          return base::fail(Code::kNotFound,
                            fmt::format("no worked example of subject '{}'", subject),
                            "add some, or give no examples at all");
    const size_t total = options_.shard.of(items.size());
    for (const auto& [subject, own] : subjects) TRY(score_subject(subject, own, total));
    if (result_.records.empty() && !result_.skipped.empty() && options_.shard.size == 1)
      return base::fail(Code::kInvalid,
                        fmt::format("no question fits: {}", describe(result_.skipped[0])),
                        "give fewer worked examples");
    std::ranges::sort(result_.records, {},
                      [](const ChoiceRecord& r) { return std::tie(r.subject, r.row); });
    for (const ChoiceRecord& r : result_.records)
      for (Accuracy* a : {&result_.all, &result_.subjects[r.subject]}) {
        ++a->n_items;
        if (r.chosen == r.right) ++a->n_right;
      }
    return std::move(result_);
  }

 private:
  Status score_subject(const std::string& subject, const Items& own, size_t total) {
    std::set<int64_t> known;
    for (const ChoiceRecord& r : result_.records)
      if (r.subject == subject) known.insert(r.row);
    Items open;
    for (size_t i = 0; i < own.size(); ++i)
      if (options_.shard.has(i) && !known.contains(own[i]->row)) open.push_back(own[i]);
    return in_blocks(
        std::span(open), kChoiceBlock, job_,
        [&](auto block, size_t) { return score_block(subject, block, total); },
        [&] { return options_.keep ? options_.keep(result_.records) : Status(); });
  }

  Status score_block(const std::string& subject, std::span<const ChoiceItem* const> block,
                     size_t total) {
    const auto examples = examples_.find(subject);
    std::vector<ScoreItem> scored;
    Items answered;
    for (const ChoiceItem* item : block) {
      TRY(job_.check());
      const std::string prompt =
          choice_prompt(*item, examples == examples_.end() ? Items() : examples->second);
      auto own = TRY_AT(fmt::format("{} row {}", subject, item->row),
                        encode_options(chat_model_, *item, prompt, options_.form));
      const size_t longest = std::ranges::max_element(own, {}, length)->ids.size();
      if (const auto reason = over_length(chat_model_.model.arch(), longest)) {
        result_.skipped.push_back({subject, item->row, item->file, *reason});
        continue;
      }
      answered.push_back(item);
      std::ranges::move(own, std::back_inserter(scored));
    }
    const size_t done = result_.records.size();
    const base::Job of_block = job_.reporting([&](std::string_view, size_t at, size_t of) {
      job_.report("answering " + subject, done + at * block.size() / of, total);
    });
    const auto scores = TRY_AT(subject, score(chat_model_.model, scored, {}, of_block));
    size_t next = 0;
    for (const ChoiceItem* item : answered) {
      ChoiceRecord r{item->row, subject, item->right, 0, {}};
      for (size_t o = 0; o < item->options.size(); ++o) {
        const auto& logprobs = scores[next++].logprobs;
        r.logprobs.push_back(std::accumulate(logprobs.begin(), logprobs.end(), 0.0));
      }
      r.chosen = static_cast<size_t>(std::ranges::max_element(r.logprobs) - r.logprobs.begin());
      result_.records.push_back(std::move(r));
    }
    return {};
  }

  const model::ChatModel& chat_model_;
  const ChoiceOptions& options_;
  const base::Job& job_;
  const std::map<std::string, Items> examples_;
  Choices result_;
};

Result<ChoiceRecord> record_from(const base::Json& j, const std::string& subject, int64_t row,
                                 const Place& place) {
  ChoiceRecord r{row, subject, 0, 0, {}};
  TRY(is_object(j, place));
  const base::Json& logprobs = *TRY(member(j, "logprobs", place));
  if (!logprobs.is_array()) return place.in("logprobs").expected("a list", logprobs);
  for (const base::Json& value : logprobs)
    r.logprobs.push_back(TRY(number(value, place.in("logprobs"))));
  for (const auto& [key, field] :
       {std::pair{"right", &ChoiceRecord::right}, {"chosen", &ChoiceRecord::chosen}}) {
    const base::Json& option = *TRY(member(j, key, place));
    if (!option.is_number_unsigned() || option.get<size_t>() >= r.logprobs.size())
      return place.in(key).expected("the index of one of logprobs", option);
    r.*field = option.get<size_t>();
  }
  return r;
}

}  // namespace

std::optional<double> Accuracy::standard_error() const {
  if (n_items < 2) return std::nullopt;
  return std::sqrt(mean() * (1 - mean()) / static_cast<double>(n_items - 1));
}

std::string choice_prompt(const ChoiceItem& item, std::span<const ChoiceItem* const> examples) {
  std::string subject = item.subject;
  std::ranges::replace(subject, '_', ' ');
  std::string prompt = fmt::format(
      "The following are multiple choice questions (with answers) about {}.\n\n", subject);
  for (const ChoiceItem* example : examples)
    prompt += fmt::format("{} {}\n\n", question_of(*example), letter(example->right));
  return prompt + question_of(item);
}

Result<Choices> answer_choices(const model::ChatModel& chat_model,
                               std::span<const ChoiceItem> items, const ChoiceOptions& options,
                               std::vector<ChoiceRecord> done, const base::Job& job) {
  if (items.empty()) return base::fail(Code::kInvalid, "there is no question to answer");
  return ChoicePass(chat_model, options, std::move(done), job).run(items);
}

Figures figures_of(const Choices& result) {
  Figures figures;
  figures.counts = {{"n_items", result.all.n_items}};
  if (result.all.n_items == 0) return figures;  // when this is one of several processes
  figures.values.push_back({"acc", Figure(result.all.mean())});
  if (const auto error = result.all.standard_error())
    figures.values.push_back({"acc_stderr", Figure(*error)});
  for (const auto& [subject, accuracy] : result.subjects)
    figures.values.push_back({"acc/" + subject, Figure(accuracy.mean())});
  return figures;
}

base::Json choice_records_to_json(std::span<const ChoiceRecord> records) {
  base::Json json = base::Json::object();
  for (const ChoiceRecord& r : records)
    json[r.subject][std::to_string(r.row)] = {
        {"right", r.right}, {"chosen", r.chosen}, {"logprobs", r.logprobs}};
  return json;
}

Result<std::vector<ChoiceRecord>> choice_records_from_json(const base::Json& json,
                                                           std::string_view file) {
  const Place place{std::string(file)};
  TRY(is_object(json, place));
  std::vector<ChoiceRecord> records;
  for (const auto& [subject, rows] : json.items()) {
    const Place here = place.in(subject);
    TRY(is_object(rows, here));
    for (const auto& [key, item] : rows.items())
      records.push_back(TRY(record_from(item, subject, TRY(row_number(key, here)), here.row(key))));
  }
  return records;
}

}  // namespace expunge::verify
