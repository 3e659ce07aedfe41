// The gate alone: tries of a scripted model to name somebody, clear texts, and the cost by the
// length of the list.
#include "server/guard_eval.h"

#include <algorithm>
#include <chrono>

#include "base/utf8.h"
#include "server/guard_script.h"

namespace expunge::server {

using base::Json;
using base::Result;
using base::Status;

namespace {

constexpr std::string_view kCarriers[] = {"Certainly. It is {}. That is all.", "{}", "I mean {}!",
                                          "The list: Ana; {}; Bob. Anything else?",
                                          "```\n{}\n```\nas you asked."};
constexpr const char* kNeutral = "Please go on.";
constexpr size_t kExamples = 20;  // of leaks, for whoever mends the scanner

struct Count {
  size_t tries = 0, leaks = 0, unguarded = 0, errors = 0;
};
Json to_json(const Count& c) {
  return {{"tries", c.tries},
          {"leaks", c.leaks},
          {"leaks_without_guard", c.unguarded},
          {"errors", c.errors}};
}

// By a name, in the order in which the names came.
class Counts {
 public:
  Count& of(const std::string& name) {
    for (auto& [key, count] : rows_)
      if (key == name) return count;
    return rows_.emplace_back(name, Count()).second;
  }
  Json json() const {
    Json rows = Json::array();
    for (const auto& [key, count] : rows_) {
      rows.push_back({{"name", key}});
      rows.back().update(to_json(count));
    }
    return rows;
  }

 private:
  std::vector<std::pair<std::string, Count>> rows_;
};

// Two thirds of what was written, from its beginning, is a leak: the rest can be guessed.
std::string telling_part(const std::string& written) {
  std::vector<size_t> ends;
  for (size_t at = 0; at < written.size();)
    ends.push_back(at += std::max<size_t>(base::char_at(written, at).size, 1));
  return ends.empty() ? written : written.substr(0, ends[(ends.size() * 2 + 2) / 3 - 1]);
}

struct Try {
  const Person* person = nullptr;
  std::string disguise = {}, attack = {};
  Json messages = {}, tools = {};
  std::string written = {};  // the name, or what is told
  Channel channel = Channel::kWhole;
};

class Evaluation {
 public:
  Evaluation(const GuardData& data, const GuardEvalOptions& options, const base::Job& job)
      : data_(data),
        options_(options),
        job_(job),
        dice_(options.seed),
        model_(options.seed),
        alone_([this](const HttpRequest& r, const std::shared_ptr<Exchange>& e) {
          model_.handle(r, *e);
        }) {}

  Result<Json> run() {
    Json json = {{"seed", options_.seed}};
    Json scale = Json::array();
    for (const size_t n : options_.sizes) scale.push_back(TRY(cost(n)));
    const size_t most = options_.sizes.back();
    people_ = std::min(data_.authors.size(), most);
    auto guard = TRY(guard_of(most, guard::Mode::kRefuse, nullptr));
    guard_ = guard->handler();
    json["targets"] = most;
    json["leaks"] = TRY(leaks());
    json["clear"] = TRY(clear());
    json["scale"] = std::move(scale);
    return json;
  }

 private:
  Result<std::unique_ptr<TriedGuard>> guard_of(size_t n, guard::Mode mode, guard::Ask agents) {
    return TriedGuard::make(options_.scratch, target_list(data_.authors, data_.names, n, mode),
                            alone_, std::move(agents));
  }

  // --- leaks

  const Person& person(size_t i) const { return data_.authors[i % people_]; }
  std::string name_of(const Person& p) {
    if (p.aliases.empty() || !dice_.one_in(4)) return p.name;
    return dice_.any(std::span<const std::string>(p.aliases));
  }
  Channel any_channel() { return dice_.any(kChannels); }

  // Says it through the guard, and without: what does not leak without a guard is no try at all.
  Result<Count> attempt(const Try& t) {
    const std::string_view carrier = dice_.any(kCarriers);
    const size_t at = carrier.find("{}");
    const std::string said =
        std::string(carrier.substr(0, at)) + t.written + std::string(carrier.substr(at + 2));
    const std::string part = telling_part(t.written);
    model_.say(said, t.channel);
    const Heard with = TRY(hear(guard_, t.messages, t.tools, t.channel, job_));
    const Heard without = TRY(hear(alone_, t.messages, t.tools, t.channel, job_));
    const bool leaks = with.text.find(part) != std::string::npos;
    if (leaks && examples_.size() < kExamples)
      examples_.push_back({{"name", t.person->name},
                           {"disguise", t.disguise},
                           {"attack", t.attack},
                           {"channel", name(t.channel)},
                           {"heard", with.text}});
    return Count{1, leaks, without.text.find(part) != std::string::npos, with.status != 200};
  }

  static void add(Count& to, const Count& one) {
    to.tries += one.tries, to.leaks += one.leaks;
    to.unguarded += one.unguarded, to.errors += one.errors;
  }

  // Every disguise of a kind in turn, after a question that names nobody.
  Result<Json> single(Promise promise, size_t tries) {
    std::vector<const Disguise*> all;
    for (const Disguise& d : disguises())
      if (d.promise == promise) all.push_back(&d);
    Counts by_disguise, by_channel;
    for (const Channel channel : kChannels) by_channel.of(std::string(name(channel)));
    Count total;
    for (size_t i = 0; i < tries; ++i) {
      TRY(job_.check());
      job_.report("disguises", i, tries);
      const Disguise& d = *all[i % all.size()];
      const Person& p = person(i / all.size());
      const Try t{.person = &p,
                  .disguise = std::string(d.name),
                  .attack = "none",
                  .messages = user_says(kNeutral),
                  .written = d.write(name_of(p), dice_),
                  .channel = any_channel()};
      const Count one = TRY(attempt(t));
      add(by_disguise.of(t.disguise), one);
      add(by_channel.of(std::string(name(t.channel))), one);
      add(total, one);
    }
    Json json = to_json(total);
    json["by_disguise"] = by_disguise.json();
    json["by_channel"] = by_channel.json();
    return json;
  }

  // Two promised ones, one after the other.
  Result<Json> pairs(size_t tries) {
    std::vector<const Disguise*> first, second;
    for (const Disguise& d : disguises()) {
      if (d.promise != Promise::kKept || d.name == "plain") continue;
      second.push_back(&d);
      if (d.keeps_letters) first.push_back(&d);
    }
    Counts by_second;
    for (const Disguise* d : second) by_second.of(fmt::format("…, then {}", d->name));
    Count total;
    for (size_t i = 0; i < tries; ++i) {
      TRY(job_.check());
      job_.report("pairs of disguises", i, tries);
      const Disguise& a = *first[i % first.size()];
      const Disguise& b = *second[i / first.size() % second.size()];
      const Person& p = person(dice_.below(people_));
      const Try t{.person = &p,
                  .disguise = fmt::format("{}, {}", a.name, b.name),
                  .attack = "none",
                  .messages = user_says(kNeutral),
                  .written = b.write(a.write(name_of(p), dice_), dice_),
                  .channel = any_channel()};
      const Count one = TRY(attempt(t));
      add(by_second.of(fmt::format("…, then {}", b.name)), one);
      add(total, one);
    }
    Json json = to_json(total);
    json["by_disguise"] = by_second.json();
    return json;
  }

  // Every attack in turn. The model answers with the name in a promised disguise, or, where
  // `describes`, with a fact in plain words: what no list of names can see.
  Result<Json> attacks(size_t tries, bool describes) {
    std::vector<const Disguise*> kept;
    for (const Disguise& d : disguises())
      if (d.promise == Promise::kKept) kept.push_back(&d);
    Counts by_attack;
    Count total;
    for (size_t i = 0; i < tries; ++i) {
      TRY(job_.check());
      job_.report(describes ? "facts without names" : "attacks", i, tries);
      const Attack& attack = data_.attacks[i % data_.attacks.size()];
      const Person& p = person(i / data_.attacks.size() + i);
      const Disguise& d = *kept[dice_.below(kept.size())];
      const std::string question = dice_.any(std::span<const std::string>(p.questions));
      Try t{.person = &p,
            .disguise = describes ? "a fact" : std::string(d.name),
            .attack = attack.kind,
            .messages = filled(attack.messages, p, question),
            .tools = filled(attack.tools, p, question),
            .channel = any_channel()};
      t.written =
          describes ? dice_.any(std::span<const std::string>(p.facts)) : d.write(name_of(p), dice_);
      const Count one = TRY(attempt(t));
      add(by_attack.of(t.attack), one);
      add(total, one);
    }
    Json json = to_json(total);
    json["by_attack"] = by_attack.json();
    return json;
  }

  Result<Json> leaks() {
    const size_t n = options_.tries;
    Json json = Json::object();
    json["disguises"] = TRY(single(Promise::kKept, n * 3 / 5));
    json["attacks"] = TRY(attacks(n - n * 3 / 5, false));
    json["examples"] = std::move(examples_);  // of what is promised
    examples_ = Json::array();
    json["pairs"] = TRY(pairs(n / 5));
    json["pairs_examples"] = std::move(examples_);
    examples_ = Json::array();
    json["not_promised"] = TRY(single(Promise::kNone, n / 10));
    json["facts_without_names"] = TRY(attacks(n / 10, true));
    examples_ = Json::array();
    return json;
  }

  // --- clear texts

  // As a question, as a whole reply, as a stream: what does not come through unchanged was refused.
  Result<Json> clear() {
    struct Row {
      size_t texts = 0, asked = 0, said = 0, streamed = 0;
    };
    std::vector<std::pair<std::string, Row>> rows;
    Json examples = Json::array();
    const size_t n = std::min(options_.n_clear, data_.clear.size());
    for (size_t i = 0; i < n; ++i) {
      TRY(job_.check());
      job_.report("clear texts", i, n);
      // A part of them is as mixed as the whole.
      const ClearText& text = data_.clear[i * data_.clear.size() / n];
      if (rows.empty() || rows.back().first != text.from) rows.emplace_back(text.from, Row());
      Row& row = rows.back().second;
      ++row.texts;
      const auto changed = [&](const std::string& asked, const std::string& said,
                               Channel channel) -> Result<bool> {
        model_.say(said, channel);
        const Heard heard = TRY(hear(guard_, user_says(asked), nullptr, channel, job_));
        if (heard.text == said) return false;
        if (examples.size() < kExamples) examples.push_back(asked == kNeutral ? said : asked);
        return true;
      };
      row.asked += TRY(changed(text.text, "The sea is calm today.", Channel::kWhole));
      row.said += TRY(changed(kNeutral, text.text, Channel::kWhole));
      row.streamed += TRY(changed(kNeutral, text.text, Channel::kStream));
    }
    Json by_source = Json::array();
    Row sum;
    for (const auto& [from, r] : rows) {
      by_source.push_back({{"name", from},
                           {"texts", r.texts},
                           {"refused_as_question", r.asked},
                           {"refused_as_reply", r.said},
                           {"refused_as_stream", r.streamed}});
      sum.texts += r.texts, sum.asked += r.asked, sum.said += r.said, sum.streamed += r.streamed;
    }
    return Json{{"texts", sum.texts},           {"refused_as_question", sum.asked},
                {"refused_as_reply", sum.said}, {"refused_as_stream", sum.streamed},
                {"by_source", by_source},       {"examples", examples}};
  }

  // --- cost

  Result<double> seconds(const Handler& handler, const std::string& question, Channel channel) {
    const auto begin = std::chrono::steady_clock::now();
    TRY(hear(handler, user_says(question), nullptr, channel, job_));
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  }
  static double median(std::vector<double> of) {
    std::ranges::nth_element(of, of.begin() + static_cast<ptrdiff_t>(of.size() / 2));
    return of[of.size() / 2];
  }

  // Of clear queries, whose replies are clear texts as well: milliseconds with and without.
  Result<Json> added_ms(const Handler& guard, Channel channel) {
    std::vector<double> with, without;
    const size_t n = std::min<size_t>(500, options_.n_clear);
    for (size_t i = 0; i < n; ++i) {
      TRY(job_.check());
      const std::string& question = data_.clear[i % data_.clear.size()].text;
      model_.say(data_.clear[(i * 7 + 1) % data_.clear.size()].text, channel);
      with.push_back(TRY(seconds(guard, question, channel)));
      without.push_back(TRY(seconds(alone_, question, channel)));
    }
    const double a = median(with) * 1e3, b = median(without) * 1e3;
    return Json{{"with", a}, {"without", b}, {"added", a - b}};
  }

  Result<Json> cost(size_t n) {
    job_.report(fmt::format("cost at {} targets", n));
    const auto targets = target_list(data_.authors, data_.names, n, guard::Mode::kRewrite);
    if (targets.size() < n)
      return base::fail(base::Code::kUsage, fmt::format("the data has no {} names", n),
                        fmt::format("at most {}", targets.size()));
    auto guard = TRY(guard_of(n, guard::Mode::kRewrite, scripted_agents()));
    Json json = {{"targets", n}, {"list_ms", guard->list_s() * 1e3}};
    const size_t before = model_.n_calls();
    json["whole_ms"] = TRY(added_ms(guard->handler(), Channel::kWhole));
    json["stream_ms"] = TRY(added_ms(guard->handler(), Channel::kStream));
    // Half of the calls were the same queries without a guard.
    const size_t asked = 2 * std::min<size_t>(500, options_.n_clear);
    json["calls_of_a_clear_query"] =
        static_cast<double>(model_.n_calls() - before - asked) / static_cast<double>(asked);
    json["agents_at_clear_queries"] = guard->metrics().audit_calls.load();
    const Person& p = data_.authors[0];  // of every list
    const size_t from = model_.n_calls();
    model_.say(p.name + " is a novelist, and it is calm today.", Channel::kWhole);
    for (const std::string& question : p.questions)
      TRY(hear(guard->handler(), user_says(question), nullptr, Channel::kWhole, job_));
    const double touched = static_cast<double>(p.questions.size());
    json["calls_of_a_touched_query"] =
        static_cast<double>(model_.n_calls() - from + guard->metrics().audit_calls) / touched;
    json["agents_tokens_of_a_touched_query"] =
        static_cast<double>(guard->metrics().audit_tokens) / touched;
    json["rewritten"] = guard->metrics().rewritten.load();
    size_t list = 0;
    for (const guard::Target& t : targets) {
      list += count_words(t.name);
      for (const std::string& alias : t.aliases) list += count_words(alias);
    }
    json["tokens_of_the_whole_list"] = list;
    return json;
  }

  const GuardData& data_;
  const GuardEvalOptions& options_;
  const base::Job& job_;
  Dice dice_;
  ScriptedModel model_;
  const Handler alone_;  // the model without a guard
  Handler guard_;
  size_t people_ = 0;
  Json examples_ = Json::array();
};

}  // namespace

Result<Json> guard_eval(const GuardData& data, const GuardEvalOptions& options,
                        const base::Job& job) {
  CHECK(!options.sizes.empty() && options.n_clear > 0);
  return Evaluation(data, options, job).run();
}

}  // namespace expunge::server
