#include "model/hf_files.h"

#include "tensor/tensor_file.h"

namespace expunge::model {
namespace {

using base::Json;
using base::Result;

constexpr const char* kIds[][2] = {
    {"tokenizer.ggml.bos_token_id", "bos_token"},
    {"tokenizer.ggml.eos_token_id", "eos_token"},
    {"tokenizer.ggml.unknown_token_id", "unk_token"},
    {"tokenizer.ggml.padding_token_id", "pad_token"},
};

// A GGUF says whether a text begins with the BOS token; in tokenizer.json a post-processor does it.
// Replaced in the text: parsing a whole vocabulary into ordered JSON is quadratic. The key followed
// by null cannot stand inside a string, where its quotes would be escaped.
void add_bos_step(std::string& tokenizer, const std::string& bos, int64_t id) {
  constexpr std::string_view kNone = "\"post_processor\":null";
  const Json special = {{"SpecialToken", {{"id", bos}, {"type_id", 0}}}};
  const Json a = {{"Sequence", {{"id", "A"}, {"type_id", 0}}}};
  const Json b = {{"Sequence", {{"id", "B"}, {"type_id", 1}}}};
  Json specials = Json::object();
  specials[bos] = {{"id", bos}, {"ids", Json::array({id})}, {"tokens", Json::array({bos})}};
  const Json step = {{"type", "TemplateProcessing"},
                     {"single", Json::array({special, a})},
                     {"pair", Json::array({special, a, b})},
                     {"special_tokens", specials}};
  const size_t at = tokenizer.find(kNone);
  CHECK(at != tokenizer.npos);
  tokenizer.replace(at, kNone.size(), "\"post_processor\":" + base::dump_json(step));
}

}  // namespace

Result<text::GgufVocab> vocab_from_gguf(const tensor::GgufMeta& meta) {
  text::GgufVocab v;
  v.model = TRY(meta.text("tokenizer.ggml.model"));
  v.pre = meta.text_or("tokenizer.ggml.pre", "");
  v.tokens = TRY(meta.texts("tokenizer.ggml.tokens"));
  if (meta.has("tokenizer.ggml.scores")) v.scores = TRY(meta.reals("tokenizer.ggml.scores"));
  if (meta.has("tokenizer.ggml.token_type"))
    v.types = TRY(meta.integers("tokenizer.ggml.token_type"));
  if (meta.has("tokenizer.ggml.merges")) v.merges = TRY(meta.texts("tokenizer.ggml.merges"));
  // What a SentencePiece vocabulary has where its file does not say, or says nonsense (llama.cpp).
  const auto size = static_cast<int64_t>(v.tokens.size());
  const auto special = [&](const char* key, int64_t usual) {
    const int64_t id = meta.integer_or(key, -1);
    if (id >= 0 && id < size) return id;
    return v.model == "llama" && usual < size ? usual : -1;
  };
  v.unk = special("tokenizer.ggml.unknown_token_id", 0);
  v.bos = special("tokenizer.ggml.bos_token_id", 1);
  v.eos = special("tokenizer.ggml.eos_token_id", 2);
  const auto flag = [&](const char* key) {
    return meta.has(key) ? std::optional(meta.flag_or(key, false)) : std::nullopt;
  };
  v.add_bos = flag("tokenizer.ggml.add_bos_token");
  v.add_eos = flag("tokenizer.ggml.add_eos_token");
  v.add_space_prefix = meta.flag_or("tokenizer.ggml.add_space_prefix", true);
  return v;
}

Result<std::map<std::string, std::string>> hf_files_from_gguf(const tensor::GgufMeta& meta,
                                                              const Arch& config,
                                                              const std::string& dtype) {
  const text::GgufVocab vocab = TRY(vocab_from_gguf(meta));
  Json model = arch_to_hf(config), generation = {{"_from_model_config", true}};
  std::string tokenizer = TRY(text::tokenizer_json(vocab));
  Json side = {{"tokenizer_class", "PreTrainedTokenizerFast"},
               {"clean_up_tokenization_spaces", false},
               {"model_max_length", config.context_length}};
  model["torch_dtype"] = dtype;
  for (const auto& [key, name] : kIds) {
    const int64_t id = meta.integer_or(key, -1);
    if (id < 0 || id >= static_cast<int64_t>(vocab.tokens.size())) continue;
    side[name] = vocab.tokens[static_cast<size_t>(id)];
    if (std::string_view(name) == "unk_token") continue;
    model[std::string(name) + "_id"] = id;
    generation[std::string(name) + "_id"] = id;
  }
  if (const auto ends = config.text_end_ids(); !ends.empty())
    model["eos_token_id"] = generation["eos_token_id"] = ends;
  if (meta.has("tokenizer.chat_template"))
    side["chat_template"] = TRY(meta.text("tokenizer.chat_template"));
  const bool add_bos = text::adds_bos(vocab);
  side["add_bos_token"] = add_bos;
  if (add_bos && side.contains("bos_token"))
    add_bos_step(tokenizer, side["bos_token"], model["bos_token_id"]);
  return std::map<std::string, std::string>{
      {"config.json", base::dump_json(model, 2)},
      {"generation_config.json", base::dump_json(generation, 2)},
      {"tokenizer.json", std::move(tokenizer)},
      {"tokenizer_config.json", base::dump_json(side, 2)}};
}

}  // namespace expunge::model
