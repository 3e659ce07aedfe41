#include "server/delivery.h"

#include <algorithm>

namespace expunge::server {

using base::Json;
using base::Result;

namespace {

constexpr size_t kLongPrompt = 64;  // tokens from which running it once, before all, is quicker

// Whether a prompt that is run beforehand is computed once for all: the decoder keeps it.
bool share_a_prompt(const std::vector<Delivery::Choice>& choices) {
  return choices.size() > 1 && choices[0].prompt.size() >= kLongPrompt &&
         choices[0].options.echo == service::CompletionOptions::Echo::kNo &&
         std::ranges::all_of(
             choices, [&](const Delivery::Choice& c) { return c.prompt == choices[0].prompt; });
}

}  // namespace

Delivery::Delivery(App& app, Call call, Kind kind, std::string id, const Ask& ask)
    : app_(app),
      call_(std::move(call)),
      kind_(kind),
      streams_(ask.stream),
      wants_usage_(ask.include_usage),
      replies_(kind, std::move(id),
               std::chrono::duration_cast<std::chrono::seconds>(
                   std::chrono::system_clock::now().time_since_epoch())
                   .count(),
               app.model_id(), ask) {}

void Delivery::write(const model::ChatModel& model, std::vector<Choice> choices) {
  n_open_ = choices.size();
  texts_.resize(n_open_);
  // What can be refused is refused before a stream begins.
  for (const Choice& c : choices)
    if (const auto status = model::check_prompt(model.model.arch(), c.prompt); !status)
      return server::fail(app_, call_, status.error());
  if (streams_) {
    call_.exchange->begin_stream();
    if (kind_ == Kind::kChat)
      for (size_t i = 0; i < choices.size(); ++i)
        call_.exchange->write(event("", replies_.first(i)));
  }
  if (!share_a_prompt(choices)) return submit(model, choices);
  model::Request first;
  first.ids = choices[0].prompt;
  first.max_new_tokens = 1;
  first.job = call_.exchange->job.within(app_.options().most_s);
  first.on_done = [self = shared_from_this(), model,
                   choices = std::move(choices)](const Result<model::Generation>& run) {
    if (!run) return self->fail(run.error());
    self->submit(model, choices);
  };
  if (const auto status = app_.decoder().submit(model.model, std::move(first)); !status)
    fail(status.error());
}

void Delivery::submit(const model::ChatModel& model, const std::vector<Choice>& choices) {
  for (size_t i = 0; i < choices.size() && !failed_; ++i) {
    const auto status = service::complete(
        app_.decoder(), model, choices[i].prompt, choices[i].options,
        call_.exchange->job.within(app_.options().most_s),
        [self = shared_from_this(), i](service::Piece p) { return self->take(i, std::move(p)); },
        [self = shared_from_this(), i](const Result<service::Completed>& c) { self->end(i, c); });
    if (!status) fail(status.error());
  }
}

bool Delivery::take(size_t choice, service::Piece piece) {
  if (failed_) return false;
  if (on_reply) texts_[choice] += piece.text;
  if (streams_) return call_.exchange->write(event("", replies_.chunk(choice, piece)));
  replies_.collect(choice, std::move(piece));
  return true;
}

void Delivery::end(size_t choice, const Result<service::Completed>& completed) {
  if (failed_) return;
  if (!completed) return fail(completed.error());
  if (on_reply) on_reply(texts_[choice]);
  replies_.end(choice, *completed);
  if (streams_) call_.exchange->write(event("", replies_.last(choice, *completed)));
  if (--n_open_ == 0) finish();
}

void Delivery::finish() {
  if (!streams_) return call_.exchange->send(json_response(replies_.body()));
  if (wants_usage_) call_.exchange->write(event("", replies_.usage_chunk()));
  call_.exchange->write("data: [DONE]\n\n");
  call_.exchange->end();
}

void Delivery::say(const std::string& text, const Json& about) {
  const service::Completed completed;
  if (!streams_) {
    replies_.collect(0, {text});
    replies_.end(0, completed);
    Json body = replies_.body();
    body["expunge"] = about;
    return call_.exchange->send(json_response(body));
  }
  call_.exchange->begin_stream();
  call_.exchange->write(event("", replies_.first(0)));
  call_.exchange->write(event("", replies_.chunk(0, {text})));
  replies_.end(0, completed);
  Json last = replies_.last(0, completed);
  last["expunge"] = about;
  call_.exchange->write(event("", last));
  finish();
}

void Delivery::fail(const base::Error& error) {
  if (failed_.exchange(true)) return;
  call_.exchange->job.cancel();  // the other choices
  if (!streams_) return server::fail(app_, call_, error);
  call_.exchange->write(event("", error_json(error, base::code_info(error.code).http_status)));
  call_.exchange->end();
}

}  // namespace expunge::server
