#include "service/writer.h"

#include <algorithm>

#include "model/generate.h"
#include "text/token_bytes.h"

namespace expunge::service {

using base::Result;
using tensor::Tensor;

namespace {

size_t n_common(std::span<const int32_t> a, std::span<const int32_t> b) {
  return static_cast<size_t>(std::ranges::mismatch(a, b).in1 - a.begin());
}

}  // namespace

Result<std::unique_ptr<Writer>> Writer::make(model::ChatModel model, std::string system) {
  agent::Vocabulary vocabulary(TRY(text::token_bytes(model.tokenizer)),
                               model.model.arch().text_end_ids());
  return std::unique_ptr<Writer>(
      new Writer(std::move(model), std::move(system), std::move(vocabulary)));
}

Writer::Writer(model::ChatModel model, std::string system, agent::Vocabulary vocabulary)
    : model_(std::move(model)),
      system_(std::move(system)),
      vocabulary_(std::move(vocabulary)),
      runner_(std::make_shared<model::Runner>(model_.model)) {}

size_t Writer::context() const { return static_cast<size_t>(model_.model.arch().context_length); }

Result<std::vector<int32_t>> Writer::encode(const std::string& prompt,
                                            const std::string& begun) const {
  const text::Message messages[] = {{"system", system_}, {"user", prompt}};
  return model_.encode(messages, begun);
}

Result<Tensor> Writer::read(std::vector<int32_t> ids, const base::Job& job) const {
  TRY(model::check_prompt(model_.model.arch(), ids));
  constexpr size_t kChunk = 1024;
  // The last token is run in any case: its logits are wanted.
  const size_t known = std::min(n_common(ids_, ids), ids.size() - 1);
  runner_->pool().truncate(sequence_, known);
  ids_ = std::move(ids);
  Tensor hidden;
  for (size_t at = known; at < ids_.size(); at += kChunk) {
    if (const base::Status status = job.check(); !status) {
      ids_.resize(at);
      return tl::unexpected(status.error());
    }
    const model::Chunk chunk{&sequence_,
                             std::span(ids_).subspan(at, std::min(kChunk, ids_.size() - at))};
    hidden = runner_->forward({&chunk, 1});
  }
  return runner_->logits(hidden.narrow(0, hidden.size(0) - 1, 1)).view({-1});
}

Result<std::vector<std::string>> Writer::write(const std::string& prompt,
                                               std::span<const Order> orders,
                                               const base::Job& job) const {
  const std::lock_guard lock(mutex_);
  return tensor::guarded([&]() -> Result<std::vector<std::string>> {
    const std::vector<int32_t> ids = TRY(encode(prompt, ""));
    const Tensor next = TRY(read(ids, job));
    const auto text_of = [&](const Order& order, std::span<const int32_t> written) {
      std::string text = order.begun;
      for (const int32_t id : written) text += vocabulary_.bytes(id);
      return text;
    };
    std::vector<model::Request> requests;
    for (const Order& order : orders) {
      model::Request& r = requests.emplace_back();
      r.runner = runner_;
      r.ids = order.begun.empty() ? ids : TRY(encode(prompt, order.begun));
      const size_t shared = std::min(n_common(ids, r.ids), r.ids.size() - !order.begun.empty());
      r.sequence = model::KvPool::fork(sequence_, shared, 0);
      if (order.begun.empty()) r.next_logits = next;
      r.max_new_tokens = order.max_new_tokens;
      // min_p: what is unlikely is not even sorted, and a wording stays a wording.
      r.sampling = {.temperature = order.temperature, .min_p = 0.05, .seed = order.seed};
      r.job = job;
      r.constrain = [this, &order, text_of](std::span<const int32_t> written,
                                            std::span<float> logits) {
        agent::Choice choice(vocabulary_, logits);
        order.grammar->constrain(text_of(order, written), choice);
      };
      r.on_token = [&order, text_of](std::span<const int32_t> written) {
        return order.grammar->is_complete(text_of(order, written)) ? model::Next::kStop
                                                                   : model::Next::kGoOn;
      };
    }
    std::vector<std::string> replies;
    const auto written = TRY(model::run_all(std::move(requests), {}));
    for (size_t i = 0; i < orders.size(); ++i)
      replies.push_back(text_of(orders[i], written[i].ids));
    return replies;
  });
}

}  // namespace expunge::service
