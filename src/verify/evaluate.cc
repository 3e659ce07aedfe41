#include "verify/evaluate.h"

#include <algorithm>
#include <array>
#include <set>

#include "model/generate.h"
#include "text/trim.h"
#include "verify/rouge.h"
#include "verify/score.h"

namespace expunge::verify {
namespace {

using base::Result;
using base::Status;
using text::Message;
using text::QaItem;

constexpr size_t kScoreBlock = 32, kGenerateBlock = 128;  // items between two calls of keep

std::vector<Message> conversation(const std::string& system, const std::string& question) {
  std::vector<Message> messages;
  if (!system.empty()) messages.push_back({"system", system});
  messages.push_back({"user", question});
  return messages;
}

// The token that a peer pads with, and therefore leaves out of attention.
int32_t hidden_id(const model::ChatModel& chat_model, Parity parity) {
  const auto& ends = chat_model.model.arch().end_ids;
  return parity == Parity::kNone || ends.empty() ? -1 : ends[0];
}

class SetPass {
 public:
  SetPass(const model::ChatModel& chat_model, const EvaluateOptions& options, QaRecords done,
          const base::Job& job)
      : chat_model_(chat_model), options_(options), job_(job) {
    result_.records = std::move(done);
  }

  Result<Evaluated> run(std::span<const QaSet> sets) {
    for (const QaSet& set : sets) TRY(score_set(set));
    if (options_.generate)
      for (const QaSet& set : sets) TRY(generate_set(set));
    return std::move(result_);
  }

 private:
  Status keep() { return options_.keep ? options_.keep(result_.records) : Status(); }

  std::vector<const QaItem*> own(const QaSet& set) const {
    std::vector<const QaItem*> items;
    for (size_t i = 0; i < set.items.size(); ++i)
      if (options_.shard.has(i)) items.push_back(&set.items[i]);
    return items;
  }

  Status score_set(const QaSet& set) {
    std::vector<QaRecord>& records = result_.records[set.name];
    std::set<int64_t> known;
    for (const QaRecord& r : records) known.insert(r.row);
    std::vector<const QaItem*> open;
    for (const QaItem* item : own(set))
      if (!known.contains(item->row)) open.push_back(item);
    TRY(in_blocks(
        std::span(open), kScoreBlock, job_,
        [&](auto block, size_t at) -> Status {
          job_.report("scoring " + set.name, at, open.size());
          return score_block(block, records, set);
        },
        [&] { return keep(); }));
    std::ranges::sort(records, {}, &QaRecord::row);
    return {};
  }

  // What is scored of a question: its answer, the paraphrase, the wrong ones.
  struct Encoded {
    std::vector<ScoreItem> items;
    std::optional<std::string> too_long;  // why they cannot be scored
  };
  Result<Encoded> encoded(const QaItem& item) const {
    std::vector<const std::string*> answers{&item.answer};
    if (item.paraphrased) answers.push_back(&*item.paraphrased);
    for (const std::string& wrong : item.perturbed) answers.push_back(&wrong);
    const model::Arch& config = chat_model_.model.arch();
    Encoded encoded;
    for (const std::string* answer : answers) {
      auto e = encode_answer(chat_model_, options_.system, item.question, *answer, options_.parity);
      // kNone checks the length itself; the peer's encoding distinguishes it from other errors.
      const auto whole = e ? Result<model::Example>(*e)
                           : encode_answer(chat_model_, options_.system, item.question, *answer,
                                           Parity::kOpenUnlearning);
      if (whole) encoded.too_long = over_length(config, whole->ids.size());
      if (encoded.too_long) return encoded;
      model::Example example = TRY(std::move(e));
      encoded.items.push_back({std::move(example.ids), example.first});
    }
    return encoded;
  }

  Status score_block(std::span<const QaItem* const> block, std::vector<QaRecord>& records,
                     const QaSet& set) {
    const base::Stopwatch clock;
    std::vector<ScoreItem> items;
    std::vector<const QaItem*> scored;
    for (const QaItem* item : block) {
      Encoded own = TRY_AT(fmt::format("{} row {}", set.name, item->row), encoded(*item));
      if (own.too_long) {
        result_.skipped.push_back({set.name, item->row, set.file, *own.too_long});
        continue;
      }
      scored.push_back(item);
      std::ranges::move(own.items, std::back_inserter(items));
    }
    ScoreOptions score_options;
    score_options.hidden_id = hidden_id(chat_model_, options_.parity);
    if (options_.parity == Parity::kOpenUnlearning)
      score_options.exp_sum = tensor::kernels::ExpSum::kFloatInOrder;
    auto scores =
        TRY_AT(set.name, score(chat_model_.model, items, score_options, job_.reporting({})));
    size_t next = 0;
    for (const QaItem* item : scored) {
      QaRecord r;
      r.row = item->row;
      r.question = item->question;
      r.answer = item->answer;
      r.score = std::move(scores[next++]);
      if (item->paraphrased) r.paraphrased = std::move(scores[next++]);
      for (size_t w = 0; w < item->perturbed.size(); ++w)
        r.perturbed.push_back(std::move(scores[next++]));
      records.push_back(std::move(r));
    }
    for (const ScoreItem& item : items)
      result_.scored_tokens += static_cast<int64_t>(item.ids.size() - item.first);
    result_.scoring_s += clock.seconds();
    return {};
  }

  Status generate_set(const QaSet& set) {
    std::set<int64_t> rows;
    for (const QaItem* item : own(set)) rows.insert(item->row);
    std::vector<QaRecord*> open;
    for (QaRecord& r : result_.records[set.name])
      if (!r.generation && rows.contains(r.row)) open.push_back(&r);
    return in_blocks(
        std::span(open), kGenerateBlock, job_,
        [&](auto block, size_t at) { return generate_block(block, set.name, at, open.size()); },
        [&] { return keep(); });
  }

  Status generate_block(std::span<QaRecord* const> block, const std::string& name, size_t done,
                        size_t total) {
    const base::Stopwatch clock;
    const int32_t hidden = hidden_id(chat_model_, options_.parity);
    std::vector<std::vector<int32_t>> prompts;
    for (const QaRecord* r : block) {
      prompts.push_back(TRY(chat_model_.encode(conversation(options_.system, r->question))));
      std::erase(prompts.back(), hidden);
    }
    model::GenerateOptions generate;
    generate.max_new_tokens = options_.max_new_tokens;
    generate.max_batch = 32;  // keys and values of a long answer take 10 MB on the default model
    // generate() does not report finished replies: an estimate from the replies begun so far.
    std::vector<char> begun(block.size());
    size_t n_begun = 0;
    const auto count = [&](size_t i, std::span<const int32_t>) {
      if (!begun[i]) begun[i] = 1, ++n_begun;
      job_.report("generating " + name, done + n_begun - 1, total);
      return job_.cancelled() ? model::Next::kStop : model::Next::kGoOn;
    };
    const auto replies = TRY_AT(
        name, model::generate(chat_model_.model, prompts, generate, job_.reporting({}), count));
    TRY(job_.check());
    for (size_t i = 0; i < block.size(); ++i) {
      result_.generated_tokens += static_cast<int64_t>(replies[i].ids.size());
      TRY(judge(*block[i], replies[i].ids));
    }
    result_.generation_s += clock.seconds();
    return {};
  }

  Status judge(QaRecord& r, std::span<const int32_t> reply) const {
    std::string said = TRY(chat_model_.tokenizer.decode(reply)), truth = r.answer;
    if (options_.parity == Parity::kOpenUnlearning) {
      said = cleaned_up(std::move(said));
      const int32_t end = hidden_id(chat_model_, options_.parity);
      if (end >= 0)  // spelled out in the text
        said = said.substr(0, said.find(TRY(chat_model_.tokenizer.token(end))));
      truth = cleaned_up(std::move(truth));
    }
    r.generation = text::trimmed(said);
    const Words predicted = rouge_words(*r.generation, Stemming::kPorter);
    const Words expected = rouge_words(text::trimmed(truth), Stemming::kPorter);
    if (expected.empty()) return {};  // ROUGE has no reference; see measures.h
    const Rouge longest = rouge_l(expected, predicted);
    r.rouge1_recall = rouge_n(1, expected, predicted).recall;
    r.rougeL_recall = longest.recall;
    r.rougeL_f1 = longest.f1;
    return {};
  }

  const model::ChatModel& chat_model_;
  const EvaluateOptions& options_;
  const base::Job& job_;
  Evaluated result_;
};

}  // namespace

std::string cleaned_up(std::string text) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 10> kReplace = {{
      {" .", "."},
      {" ?", "?"},
      {" !", "!"},
      {" ,", ","},
      {" ' ", "'"},
      {" n't", "n't"},
      {" 'm", "'m"},
      {" 's", "'s"},
      {" 've", "'ve"},
      {" 're", "'re"},
  }};
  for (const auto& [from, to] : kReplace)
    for (size_t at = 0; (at = text.find(from, at)) != text.npos; at += to.size())
      text.replace(at, from.size(), to);
  return text;
}

Result<model::Example> encode_answer(const model::ChatModel& chat_model, const std::string& system,
                                     const std::string& question, const std::string& answer,
                                     Parity parity) {
  if (parity == Parity::kNone) return chat_model.encode_answer(system, question, answer);
  std::vector<Message> messages = conversation(system, question);
  model::Example e;
  e.first = TRY(chat_model.encode(messages)).size();
  messages.push_back({"assistant", answer});
  e.ids = TRY(text::encode_chat(chat_model.tokenizer, chat_model.chat, messages,
                                text::AddGenerationPrompt::kNo))
              .tokens.ids;
  const auto& ends = chat_model.model.arch().end_ids;
  if (e.ids.size() < e.first) e.ids.resize(e.first);  // cut by count, as the peer does
  if (!ends.empty() &&
      (e.ids.size() == e.first || std::ranges::find(ends, e.ids.back()) == ends.end()))
    e.ids.push_back(ends[0]);
  return e;
}

Result<Evaluated> evaluate(const model::ChatModel& chat_model, std::span<const QaSet> sets,
                           const EvaluateOptions& options, QaRecords done, const base::Job& job) {
  return SetPass(chat_model, options, std::move(done), job).run(sets);
}

}  // namespace expunge::verify
