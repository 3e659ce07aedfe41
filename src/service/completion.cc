#include "service/completion.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace expunge::service {

using base::Result;
using base::Status;

std::string StopStrings::push(std::string_view text) {
  if (found_) return "";
  held_ += text;
  size_t end = std::string::npos;
  for (const std::string& stop : stop_) end = std::min(end, held_.find(stop));
  if (end != std::string::npos) {
    found_ = true;
    return held_.substr(0, end);
  }
  size_t hold = 0;
  for (const std::string& stop : stop_)
    for (size_t n = std::min(stop.size() - 1, held_.size()); n > hold; --n)
      if (held_.ends_with(std::string_view(stop).substr(0, n))) hold = n;
  std::string out = held_.substr(0, held_.size() - hold);
  held_.erase(0, out.size());
  return out;
}

std::string StopStrings::finish() { return found_ ? "" : std::exchange(held_, ""); }

LogProbs log_probs(std::span<const float> logits, int32_t id, size_t n_top) {
  const float most = *std::ranges::max_element(logits);
  double sum = 0;
  for (const float x : logits) sum += std::exp(static_cast<double>(x - most));
  const double log_sum = most + std::log(sum);
  LogProbs result{logits[static_cast<size_t>(id)] - log_sum};
  if (n_top == 0) return result;
  std::vector<int32_t> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  n_top = std::min(n_top, order.size());
  const auto likelier = [&](int32_t a, int32_t b) {
    const float x = logits[static_cast<size_t>(a)], y = logits[static_cast<size_t>(b)];
    return x != y ? x > y : a < b;
  };
  std::partial_sort(order.begin(), order.begin() + static_cast<ptrdiff_t>(n_top), order.end(),
                    likelier);
  for (size_t i = 0; i < n_top; ++i)
    result.top.emplace_back(order[i], logits[static_cast<size_t>(order[i])] - log_sum);
  return result;
}

namespace {

// One completion on its way; shared by the callbacks of its request.
struct Writing {
  model::ChatModel chat_model;
  CompletionOptions options;
  std::vector<int32_t> prompt;
  OnPiece on_piece;
  OnCompleted on_done;
  text::StreamDecoder decoder;
  StopStrings stop;
  std::vector<TokenScore> scores = {};  // of the text that is held back
  std::span<const float> logits = {};   // that the coming token is chosen from
  size_t written = 0;

  Writing(const model::ChatModel& m, const CompletionOptions& o, std::vector<int32_t> ids,
          OnPiece piece, OnCompleted done)
      : chat_model(m),
        options(o),
        prompt(std::move(ids)),
        on_piece(std::move(piece)),
        on_done(std::move(done)),
        decoder(chat_model.tokenizer),
        stop(o.stop) {}

  // A token's own text: invalid UTF-8 becomes U+FFFD.
  std::string text_of(int32_t id) const {
    return chat_model.tokenizer.decode({&id, 1}).value_or("");
  }
  TokenScore score(std::span<const float> from, int32_t id) const {
    const LogProbs p = log_probs(from, id, *options.n_top);
    TokenScore s{.id = id, .text = text_of(id), .log_prob = p.of_token};
    for (const auto& [other, log_prob] : p.top) s.top.emplace_back(text_of(other), log_prob);
    return s;
  }

  model::Next take(int32_t id) {
    ++written;
    if (options.n_top) scores.push_back(score(logits, id));
    const std::string text = stop.push(decoder.push(id).value_or(""));
    if (stop.found()) scores.clear();
    if (text.empty() && !stop.found()) return model::Next::kGoOn;
    const bool listens = on_piece({text, std::exchange(scores, {})});
    return listens && !stop.found() ? model::Next::kGoOn : model::Next::kStop;
  }

  // The prompt as it will be echoed, without the scores, which follow the passes.
  void begin_echo() {
    if (!options.n_top) return;
    for (const int32_t id : prompt)
      scores.push_back({.id = id, .text = text_of(id), .log_prob = std::nullopt});
  }
  void on_context(size_t position, std::span<const float> from) {
    if (options.echo == CompletionOptions::Echo::kNo || position + 1 >= prompt.size()) return;
    scores[position + 1] = score(from, prompt[position + 1]);
  }
  void give_echo() {
    std::string text;
    for (const int32_t id : prompt) text += text_of(id);
    on_piece({chat_model.tokenizer.decode(prompt).value_or(text), std::exchange(scores, {})});
  }

  void end(Result<model::Generation> result) {
    if (!result) return on_done(tl::unexpected(std::move(result.error())));
    // Harnesses that measure a prompt ask for one token after it, and count on it.
    if (options.echo == CompletionOptions::Echo::kYes && options.n_top && result->end_id)
      scores.push_back(score(logits, *result->end_id));
    if (options.echo != CompletionOptions::Echo::kOnly) {
      std::string rest = stop.push(decoder.finish().value_or(""));
      rest += stop.finish();
      if (!rest.empty() || !scores.empty()) on_piece({std::move(rest), std::move(scores)});
    }
    const bool by_length = result->stop == model::Stop::kLength && !stop.found();
    on_done(Completed{by_length ? Ended::kLength : Ended::kStop, prompt.size(), written});
  }
};

}  // namespace

Status complete(Decoder& decoder, const model::ChatModel& chat_model, std::vector<int32_t> prompt,
                const CompletionOptions& options, const base::Job& job, OnPiece on_piece,
                OnCompleted on_done) {
  using Echo = CompletionOptions::Echo;
  auto w = std::make_shared<Writing>(chat_model, options, prompt, std::move(on_piece),
                                     std::move(on_done));
  model::Request request;
  request.ids = std::move(prompt);
  request.max_new_tokens = options.echo == Echo::kOnly ? 1 : options.max_new_tokens;
  request.sampling = options.sampling;
  request.job = job;
  if (options.echo != Echo::kNo) w->begin_echo();
  if (options.echo != Echo::kNo && options.n_top)
    request.on_context = [w](size_t position, std::span<const float> logits) {
      w->on_context(position, logits);
    };
  request.constrain = [w](std::span<const int32_t> ids, std::span<float> logits) {
    if (ids.empty() && w->options.echo != Echo::kNo) w->give_echo();
    w->logits = logits;
  };
  request.on_token = [w](std::span<const int32_t> ids) {
    return w->options.echo == Echo::kOnly ? model::Next::kStop : w->take(ids.back());
  };
  request.on_done = [w](Result<model::Generation> result) { w->end(std::move(result)); };
  return decoder.submit(chat_model.model, std::move(request));
}

}  // namespace expunge::service
