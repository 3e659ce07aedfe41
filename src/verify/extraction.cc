#include "verify/extraction.h"

#include <algorithm>
#include <cmath>
#include <list>
#include <map>
#include <set>
#include <utility>

#include "model/scheduler.h"
#include "verify/place.h"

namespace expunge::verify {
namespace {

using base::Code;
using base::Result;
using base::Status;
using tensor::Tensor;

constexpr size_t kExtractTokens = 1024, kHeadRows = 128;
constexpr size_t kForkBlock = 32;  // sequences whose forks share a batch

using Ids = std::span<const int32_t>;

struct Task {
  int64_t row = 0;
  Ids x;
};

// A sequence that was run, while its forks are decoded.
struct Opened {
  size_t place = 0;  // among the tasks
  Ids x;
  model::Sequence sequence;     // all of x but its last token
  std::vector<int32_t> chosen;  // [T]; chosen[t] is the model's first choice after x_<t; t >= 1
  std::vector<size_t> forks;    // ascending t; taken from the front
  size_t n_taken = 0, n_running = 0;
  std::map<size_t, std::vector<int32_t>> continuations;  // of finished forks
  bool done() const { return n_taken == forks.size() && n_running == 0; }
};

// Share of n-grams of continuations that occur in a suffix of x.
class Overlap {
 public:
  Overlap(Ids x, size_t n) : x_(x), n_(n) {
    for (size_t i = 0; i + n <= x.size(); ++i) last_[gram(x, i)] = i;
  }
  // OVERLAP_n(a, x_>=t), a being as long as x_>=t or cut short.
  double with(Ids a, size_t t) const {
    size_t n_found = 0;
    for (size_t i = 0; i + n_ <= a.size(); ++i) {
      const auto last = last_.find(gram(a, i));
      if (last != last_.end() && last->second >= t) ++n_found;
    }
    return static_cast<double>(n_found) / static_cast<double>(x_.size() - t - n_ + 1);
  }

 private:
  std::vector<int32_t> gram(Ids ids, size_t i) const {
    const auto part = ids.subspan(i, n_);
    return {part.begin(), part.end()};
  }
  Ids x_;
  size_t n_;
  std::map<std::vector<int32_t>, size_t> last_;  // where each n-gram of x begins last
};

class Extractor {
 public:
  Extractor(const model::Model& model, std::span<const Task> tasks,
            const ExtractionOptions& options, const base::Job& job)
      : model_(model),
        tasks_(tasks),
        options_(options),
        job_(job),
        runner_(std::make_shared<model::Runner>(model)),
        records_(tasks.size()),
        scheduler_({.max_batch = options.max_batch, .max_rows = options.max_batch}) {}

  // A record for each task.
  Result<std::vector<ExtractionRecord>> run() {
    while (n_opened_ < tasks_.size() || !opened_.empty()) {
      TRY(job_.check());
      TRY(fill());
      scheduler_.step();
      TRY(std::exchange(status_, {}));
      close();
    }
    return std::move(records_);
  }
  int64_t decoded_tokens() const { return decoded_tokens_; }

 private:
  bool ends(int32_t id) const {
    const auto& ids = model_.arch().end_ids;
    return std::ranges::find(ids, id) != ids.end();
  }

  // The first of the largest logits of each row: hidden [rows,D] -> [rows].
  Result<std::vector<int32_t>> choose(const Tensor& hidden) const {
    std::vector<int32_t> chosen;
    for (int64_t at = 0; at < hidden.size(0); at += kHeadRows) {
      const int64_t n = std::min<int64_t>(kHeadRows, hidden.size(0) - at);
      const Tensor logits = runner_->logits(hidden.narrow(0, at, n));  // [n,V]
      const auto vocab = static_cast<size_t>(logits.size(1));
      for (int64_t r = 0; r < n; ++r) {
        const std::span row(logits.data_ptr<float>() + static_cast<size_t>(r) * vocab, vocab);
        const size_t best = model::likeliest(row);
        if (!std::isfinite(row[best]))
          return base::fail(Code::kNumeric, fmt::format("a logit is {}", row[best]),
                            "the weights or an edit are damaged");
        chosen.push_back(static_cast<int32_t>(best));
      }
    }
    return chosen;
  }

  // Runs the next sequence and notes which continuations must be decoded.
  Status open() {
    Opened& o = opened_.emplace_back();
    o.place = n_opened_++;
    o.x = tasks_[o.place].x;
    o.chosen = {-1};
    for (size_t at = 0; at + 1 < o.x.size(); at += kExtractTokens) {
      const size_t n = std::min(kExtractTokens, o.x.size() - 1 - at);
      const model::Chunk chunk{&o.sequence, o.x.subspan(at, n)};
      const auto chosen = TRY(choose(runner_->forward({&chunk, 1})));
      o.chosen.insert(o.chosen.end(), chosen.begin(), chosen.end());
    }
    size_t n_matching = 0;
    for (size_t t = 1; t < o.x.size(); ++t) {
      if (o.chosen[t] == o.x[t]) {
        ++n_matching;
        continue;
      }
      // After EL's last t, a continuation comes to the first token that differs.
      if (o.forks.empty() || o.forks.back() < o.x.size() - options_.n) o.forks.push_back(t);
    }
    records_[o.place] = {tasks_[o.place].row, static_cast<int64_t>(o.x.size()),
                         static_cast<double>(n_matching) / static_cast<double>(o.x.size() - 1), 0};
    return {};
  }

  // Keeps the batch full, opening sequences as their forks are needed.
  Status fill() {
    while (scheduler_.n_open() < options_.max_batch) {
      if (opened_.empty() || opened_.back().n_taken == opened_.back().forks.size()) {
        if (n_opened_ == tasks_.size()) return {};
        job_.report("extracting", n_opened_, tasks_.size());
        TRY(open());
        continue;
      }
      Opened& o = opened_.back();
      TRY(decode(o, o.forks[o.n_taken++]));
    }
    return {};
  }

  // The continuation of x_<t, whose first token is known.
  Status decode(Opened& o, size_t t) {
    const int32_t first = o.chosen[t];
    if (ends(first) || t + 1 == o.x.size()) {
      o.continuations[t] = {first};
      return {};
    }
    ++o.n_running;
    model::Request r;
    r.runner = runner_;
    r.ids.assign(o.x.begin(), o.x.begin() + static_cast<std::ptrdiff_t>(t));
    r.ids.push_back(first);
    r.sequence = model::KvPool::fork(o.sequence, t, 0);
    r.max_new_tokens = static_cast<int64_t>(o.x.size() - t - 1);
    r.job = job_;
    r.on_done = [this, &o, t, first](Result<model::Generation> result) {
      --o.n_running;
      if (!result) {
        status_ = tl::unexpected(std::move(result.error()));
        return;
      }
      std::vector<int32_t>& ids = o.continuations[t];
      ids = std::move(result->ids);
      if (result->end_id) ids.push_back(*result->end_id);
      decoded_tokens_ += static_cast<int64_t>(ids.size());
      ids.insert(ids.begin(), first);
    };
    return scheduler_.submit(std::move(r));
  }

  // Judges the sequences with complete continuations and frees their slots.
  void close() {
    std::erase_if(opened_, [&](Opened& o) {
      if (!o.done()) return false;
      const Overlap overlap(o.x, options_.n);
      const size_t n_positions = o.x.size() - options_.n;
      double total = 0;
      for (size_t t = 1; t <= n_positions; ++t) total += overlap.with(continuation(o, t), t);
      records_[o.place].el = total / static_cast<double>(n_positions);
      runner_->pool().truncate(o.sequence, 0);
      return true;
    });
  }

  // x as far as the model reproduces it, then the fork's tokens.
  std::vector<int32_t> continuation(const Opened& o, size_t t) const {
    std::vector<int32_t> ids;
    for (; t < o.x.size() && o.chosen[t] == o.x[t]; ++t) {
      ids.push_back(o.x[t]);
      if (ends(o.x[t])) return ids;
    }
    if (t == o.x.size()) return ids;
    const auto& rest = o.continuations.at(t);
    ids.insert(ids.end(), rest.begin(), rest.end());
    return ids;
  }

  const model::Model& model_;
  std::span<const Task> tasks_;
  const ExtractionOptions& options_;
  const base::Job& job_;
  std::shared_ptr<model::Runner> runner_;
  std::list<Opened> opened_;  // requests point into it; forks are taken from the last one
  size_t n_opened_ = 0;
  std::vector<ExtractionRecord> records_;
  int64_t decoded_tokens_ = 0;
  Status status_;  // of the requests that have left
  model::Scheduler scheduler_;
};

Status check(const model::Arch& config, Ids x, size_t n) {
  if (x.size() <= n)
    return base::fail(Code::kInvalid, fmt::format("{} tokens, expected more than {}", x.size(), n),
                      "give longer sequences or shorter n-grams");
  if (x.size() > static_cast<size_t>(config.context_length))
    return base::fail(
        Code::kInvalid,
        fmt::format("{} tokens, the model's context holds {}", x.size(), config.context_length),
        "cut the sequences with max_tokens");
  return model::check_prompt(config, x.first(x.size() - 1));
}

}  // namespace

Result<Extraction> extraction(const model::Model& model,
                              std::span<const std::vector<int32_t>> sequences,
                              const ExtractionOptions& options, std::vector<ExtractionRecord> done,
                              const base::Job& job) {
  if (sequences.empty()) return base::fail(Code::kInvalid, "there is no sequence to extract");
  if (options.n < 1 || options.max_batch < 1)
    return base::fail(Code::kUsage, fmt::format("{}-grams in batches of {}, expected 1 or more",
                                                options.n, options.max_batch));
  std::set<int64_t> known;
  for (const ExtractionRecord& r : done) known.insert(r.row);
  std::vector<Task> open;
  for (size_t i = 0; i < sequences.size(); ++i) {
    const Ids x = sequences[i];
    const size_t length =
        options.max_tokens > 0 ? std::min(options.max_tokens, x.size()) : x.size();
    const Task task{static_cast<int64_t>(i), x.first(length)};
    TRY_AT(fmt::format("sequence {}", i), check(model.arch(), task.x, options.n));
    if (options.shard.has(i) && !known.contains(task.row)) open.push_back(task);
  }
  Extraction result;
  result.n = options.n;
  result.records = std::move(done);
  const base::Job of_block = job.reporting([&](std::string_view what, size_t at, size_t) {
    job.report(what, result.records.size() + at, options.shard.of(sequences.size()));
  });
  TRY(in_blocks(
      std::span(open), kForkBlock, job,
      [&](std::span<const Task> block, size_t) -> Status {
        return tensor::guarded([&]() -> Status {
          Extractor extractor(model, block, options, of_block);
          const auto records = TRY(extractor.run());
          result.records.insert(result.records.end(), records.begin(), records.end());
          result.decoded_tokens += extractor.decoded_tokens();
          return {};
        });
      },
      [&] { return options.keep ? options.keep(result.records) : Status(); }));
  std::ranges::sort(result.records, {}, &ExtractionRecord::row);
  for (const ExtractionRecord& r : result.records) {
    result.ma += r.ma / static_cast<double>(result.records.size());
    result.el += r.el / static_cast<double>(result.records.size());
  }
  return result;
}

Result<Extraction> extraction(const model::ChatModel& chat_model,
                              std::span<const std::string> texts, const ExtractionOptions& options,
                              std::vector<ExtractionRecord> done, const base::Job& job) {
  std::vector<std::vector<int32_t>> sequences;
  for (const std::string& text : texts)
    sequences.push_back(
        TRY_AT(fmt::format("sequence {}", sequences.size()), chat_model.tokenizer.encode(text))
            .ids);
  return extraction(chat_model.model, sequences, options, std::move(done), job);
}

Figures figures_of(const Extraction& result) {
  return {{{"ma", Figure(result.ma)}, {fmt::format("el_{}", result.n), Figure(result.el)}},
          {{"n_sequences", static_cast<int64_t>(result.records.size())}}};
}

base::Json extraction_records_to_json(std::span<const ExtractionRecord> records, size_t n) {
  base::Json json = base::Json::object();
  for (const ExtractionRecord& r : records)
    json[std::to_string(r.row)] = {
        {"ma", r.ma}, {fmt::format("el_{}", n), r.el}, {"n_tokens", r.n_tokens}};
  return json;
}

Result<std::vector<ExtractionRecord>> extraction_records_from_json(const base::Json& json, size_t n,
                                                                   std::string_view file) {
  const Place place{std::string(file)};
  TRY(is_object(json, place));
  const std::string el = fmt::format("el_{}", n);
  std::vector<ExtractionRecord> records;
  for (const auto& [key, item] : json.items()) {
    const Place here = place.row(key);
    TRY(is_object(item, here));
    ExtractionRecord r;
    r.row = TRY(row_number(key, place));
    r.ma = TRY(fraction(*TRY(member(item, "ma", here)), here.in("ma")));
    r.el = TRY(fraction(*TRY(member(item, el, here)), here.in(el)));
    r.n_tokens = TRY(count(*TRY(member(item, "n_tokens", here)), here.in("n_tokens")));
    records.push_back(r);
  }
  return records;
}

}  // namespace expunge::verify
