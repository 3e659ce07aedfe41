#include "verify/base_replies.h"

#include "tensor/tensor_map.h"

namespace expunge::verify {
using base::Result;

std::vector<int32_t> reply_ids(const model::Generation& generation) {
  std::vector<int32_t> ids = generation.ids;
  if (generation.end_id) ids.push_back(*generation.end_id);
  return ids;
}

Result<BaseReplies> learn_base_replies(const model::Model& model,
                                       const std::vector<std::string>& prompts,
                                       const std::vector<std::vector<int32_t>>& prompt_ids,
                                       const std::vector<std::vector<int32_t>>& texts,
                                       int64_t layer, const base::Job& job) {
  CHECK(prompts.size() == prompt_ids.size());
  model::GenerateOptions options;
  options.trace_layer = layer;
  options.max_new_tokens = kKeptTokens;
  BaseReplies r;
  const auto replies = TRY(model::generate(model, prompt_ids, options, job));
  for (size_t i = 0; i < prompts.size(); ++i)
    r.unrelated.push_back({prompts[i], "", {}, reply_ids(replies[i]), replies[i].trace.entering});
  options.max_new_tokens = 1;
  const auto continued = TRY(model::generate(model, texts, options, job));
  for (size_t i = 0; i < texts.size(); ++i)
    r.texts.push_back({texts[i], continued[i].trace.entering});
  return r;
}

std::string serialise(const BaseReplies& replies) {
  tensor::TensorMap tensors;
  std::map<std::string, std::string> prompts;
  for (size_t i = 0; i < replies.unrelated.size(); ++i) {
    const Question& q = replies.unrelated[i];
    const std::string name = fmt::format("unrelated.{}", i);
    prompts[name] = q.prompt;
    tensors[name + ".reply"] = tensor::to_tensor(q.reply);
    tensors[name + ".entering"] = q.entering;
  }
  for (size_t i = 0; i < replies.texts.size(); ++i) {
    tensors[fmt::format("text.{}.ids", i)] = tensor::to_tensor(replies.texts[i].ids);
    tensors[fmt::format("text.{}.entering", i)] = replies.texts[i].entering;
  }
  return tensor::image(tensors, prompts);
}

Result<BaseReplies> deserialise_base_replies(std::string_view bytes) {
  auto [tensors, prompts] = TRY(tensor::read_image(bytes));
  BaseReplies r;
  for (size_t i = 0;; ++i) {
    const std::string name = fmt::format("unrelated.{}", i);
    const Tensor reply = tensors[name + ".reply"], entering = tensors[name + ".entering"];
    if (!reply.defined() || !entering.defined() || !prompts.contains(name)) break;
    r.unrelated.push_back(
        {prompts[name].get<std::string>(), "", {}, tensor::to_numbers(reply), entering});
  }
  for (size_t i = 0;; ++i) {
    const std::string name = fmt::format("text.{}", i);
    const Tensor ids = tensors[name + ".ids"], entering = tensors[name + ".entering"];
    if (!ids.defined() || !entering.defined()) break;
    r.texts.push_back({tensor::to_numbers(ids), entering});
  }
  return r;
}

}  // namespace expunge::verify
