#include "service/writer.h"

#include <future>

#include "text/token_bytes.h"

namespace expunge::service {

using base::Result;
using base::Status;
using model::Generation;

Result<std::unique_ptr<Writer>> Writer::make(model::ChatModel model, std::string system,
                                             std::shared_ptr<Decoder> decoder) {
  agent::Vocabulary vocabulary(TRY(text::token_bytes(model.tokenizer)),
                               model.model.arch().text_end_ids());
  return std::unique_ptr<Writer>(
      new Writer(std::move(model), std::move(system), std::move(vocabulary), std::move(decoder)));
}

Writer::Writer(model::ChatModel model, std::string system, agent::Vocabulary vocabulary,
               std::shared_ptr<Decoder> decoder)
    : model_(std::move(model)),
      system_(std::move(system)),
      vocabulary_(std::move(vocabulary)),
      decoder_(std::move(decoder)) {}

size_t Writer::context() const { return static_cast<size_t>(model_.model.arch().context_length); }

Result<std::vector<int32_t>> Writer::encode(const std::string& prompt,
                                            const std::string& begun) const {
  const text::Message messages[] = {{"system", system_}, {"user", prompt}};
  return model_.encode(messages, begun);
}

std::string Writer::text_of(const Order& order, std::span<const int32_t> written) const {
  std::string text = order.begun;
  for (const int32_t id : written) text += vocabulary_.bytes(id);
  return text;
}

// The order must outlive it.
model::Request Writer::request(std::vector<int32_t> ids, const Order& order,
                               const base::Job& job) const {
  model::Request r;
  r.ids = std::move(ids);
  r.max_new_tokens = order.max_new_tokens;
  // min_p: what is unlikely is not even sorted, and a wording stays a wording.
  r.sampling = {.temperature = order.temperature, .min_p = 0.05, .seed = order.seed};
  r.job = job;
  r.constrain = [this, &order](std::span<const int32_t> written, std::span<float> logits) {
    agent::Choice choice(vocabulary_, logits);
    order.grammar->constrain(text_of(order, written), choice);
  };
  r.on_token = [this, &order](std::span<const int32_t> written) {
    return order.grammar->is_complete(text_of(order, written)) ? model::Next::kStop
                                                               : model::Next::kGoOn;
  };
  return r;
}

Result<std::vector<std::string>> Writer::write(const std::string& prompt,
                                               std::span<const Order> orders,
                                               const base::Job& job) const {
  const std::vector<int32_t> ids = TRY(encode(prompt, ""));
  if (orders.size() > 1) {  // the prompt of all is run once, and kept
    model::Request first;
    first.ids = ids;
    first.max_new_tokens = 1;
    first.job = job;
    TRY(decoder_->run(model_.model, std::move(first)));
  }
  std::vector<std::future<Result<Generation>>> generations;
  Status status;
  for (const Order& order : orders) {
    Result<std::vector<int32_t>> begun = ids;
    if (!order.begun.empty()) begun = encode(prompt, order.begun);
    if (!begun) {
      status = tl::unexpected(std::move(begun.error()));
      break;
    }
    model::Request r = request(std::move(*begun), order, job);
    auto done = std::make_shared<std::promise<Result<Generation>>>();
    r.on_done = [done](Result<Generation> result) { done->set_value(std::move(result)); };
    status = decoder_->submit(model_.model, std::move(r));
    if (!status) break;
    generations.push_back(done->get_future());
  }
  // All are awaited in any case: they refer to the orders.
  std::vector<std::string> replies;
  for (size_t i = 0; i < generations.size(); ++i) {
    auto generation = generations[i].get();
    if (generation)
      replies.push_back(text_of(orders[i], generation->ids));
    else if (status)
      status = tl::unexpected(std::move(generation.error()));
  }
  TRY(std::move(status));
  return replies;
}

}  // namespace expunge::service
