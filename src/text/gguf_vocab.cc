// A GGUF names its pre-tokenizer and lists tokens; this writes the equivalent tokenizer.json, or
// builds the tokenizer from the pieces and their scores.
#include <algorithm>
#include <array>
#include <cmath>
#include <unordered_map>

#include "text/ffi.h"
#include "text/pre_tokenizer.h"
#include "text/tokenizer.h"

namespace expunge::text {
namespace {

using base::Code;
using base::Json;
using base::Result;

enum class Kind : uint32_t { kPiece, kUserDefined, kSpecial, kByte, kUnused };  // as ffi::RawPiece

// Tokens that end a turn. Some files call them normal or user defined; what a user types must not
// become one (llama.cpp overrides their type too).
constexpr auto kTurnEnds = std::to_array<std::string_view>(
    {"<|eot_id|>", "<|im_end|>", "<|end|>", "<end_of_turn>", "<|endoftext|>", "<|end_of_text|>",
     "<EOT>", "<|eom_id|>", "<｜end▁of▁sentence｜>", "<end_of_utterance>", "</s>"});

Kind kind_of(const GgufVocab& v, size_t id) {
  const int64_t type = id < v.types.size() ? v.types[id] : 1;
  const auto own = static_cast<int64_t>(id);
  const bool named = own == v.unk || own == v.bos || own == v.eos;
  if (type == 2 || type == 3 || (named && (type == 4 || v.types.empty()))) return Kind::kSpecial;
  if (std::ranges::find(kTurnEnds, v.tokens[id]) != kTurnEnds.end()) return Kind::kSpecial;
  if (type == 4) return Kind::kUserDefined;
  if (type == 5) return Kind::kUnused;
  return type == 6 ? Kind::kByte : Kind::kPiece;
}

Json added_tokens(const GgufVocab& v) {
  Json list = Json::array();
  for (size_t id = 0; id < v.tokens.size(); ++id) {
    const Kind kind = kind_of(v, id);
    if ((kind != Kind::kSpecial && kind != Kind::kUserDefined) || v.tokens[id].empty()) continue;
    list.push_back({{"id", id},
                    {"content", v.tokens[id]},
                    {"single_word", false},
                    {"lstrip", false},
                    {"rstrip", false},
                    {"normalized", false},
                    {"special", kind == Kind::kSpecial}});
  }
  return list;
}

// Without unused tokens, which pad the vocabulary to the size of the embedding.
Json vocab_object(const GgufVocab& v) {
  Json vocab = Json::object();
  auto& object = vocab.get_ref<Json::object_t&>();
  object.reserve(v.tokens.size());
  // push_back: ordered_json's insertion searches all earlier keys.
  for (size_t id = 0; id < v.tokens.size(); ++id)
    if (kind_of(v, id) != Kind::kUnused) object.push_back({std::string(v.tokens[id]), Json(id)});
  return vocab;
}

Result<Json> byte_level_bpe(const GgufVocab& v) {
  Json merges = Json::array();
  for (const std::string_view merge : v.merges) merges.push_back(merge);
  PreTokenizer splits = TRY(pre_tokenizer(v.pre));
  return Json{{"added_tokens", added_tokens(v)},
              {"normalizer", nullptr},
              {"pre_tokenizer", std::move(splits.json)},
              {"post_processor", nullptr},
              {"decoder", byte_level(true)},
              {"model",
               {{"type", "BPE"},
                {"vocab", vocab_object(v)},
                {"merges", std::move(merges)},
                {"fuse_unk", false},
                {"byte_fallback", false},
                {"ignore_merges", splits.ignores_merges}}}};
}

// SentencePiece BPE has scores instead of merges: every way to cut a piece into two pieces is a
// merge, ranked by the piece's score (transformers, convert_slow_tokenizer.generate_merges).
Json merges_from_scores(const GgufVocab& v) {
  std::unordered_map<std::string_view, size_t> ids;
  for (size_t id = 0; id < v.tokens.size(); ++id)
    if (kind_of(v, id) == Kind::kPiece) ids.emplace(v.tokens[id], id);
  struct Merge {
    double score;
    size_t left, right;
  };
  std::vector<Merge> merges;
  for (size_t id = 0; id < v.tokens.size(); ++id) {
    if (kind_of(v, id) != Kind::kPiece) continue;
    const std::string_view piece = v.tokens[id];
    for (size_t cut = 1; cut < piece.size(); ++cut) {
      if ((static_cast<unsigned char>(piece[cut]) & 0xC0) == 0x80) continue;
      const auto left = ids.find(piece.substr(0, cut)), right = ids.find(piece.substr(cut));
      if (left != ids.end() && right != ids.end())
        merges.push_back({v.scores[id], left->second, right->second});
    }
  }
  std::ranges::stable_sort(merges, std::ranges::greater{}, &Merge::score);
  Json list = Json::array();
  for (const Merge& m : merges) list.push_back({v.tokens[m.left], v.tokens[m.right]});
  return list;
}

// Around any model: spaces become "▁", and what no piece has is bytes.
Json sentencepiece(const GgufVocab& v, Json added, Json model) {
  Json normalizers = Json::array();
  if (v.add_space_prefix) normalizers.push_back({{"type", "Prepend"}, {"prepend", "▁"}});
  normalizers.push_back({{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", "▁"}});
  Json decoders = {{{"type", "Replace"}, {"pattern", {{"String", "▁"}}}, {"content", " "}},
                   {{"type", "ByteFallback"}},
                   {{"type", "Fuse"}}};
  if (v.add_space_prefix)
    decoders.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
  return {{"added_tokens", std::move(added)},
          {"normalizer", {{"type", "Sequence"}, {"normalizers", normalizers}}},
          {"pre_tokenizer", nullptr},
          {"post_processor", nullptr},
          {"decoder", {{"type", "Sequence"}, {"decoders", decoders}}},
          {"model", std::move(model)}};
}

Json sentencepiece_bpe(const GgufVocab& v) {
  Json model = {{"type", "BPE"},
                {"vocab", vocab_object(v)},
                {"merges", merges_from_scores(v)},
                {"fuse_unk", true},
                {"byte_fallback", true}};
  if (v.unk >= 0) model["unk_token"] = v.tokens[static_cast<size_t>(v.unk)];
  return sentencepiece(v, added_tokens(v), std::move(model));
}

base::Status validate(const GgufVocab& v) {
  const auto outside = [&](int64_t id) { return id >= static_cast<int64_t>(v.tokens.size()); };
  for (const auto& [name, id] : {std::pair("unknown", v.unk), {"BOS", v.bos}, {"EOS", v.eos}})
    if (outside(id))
      return base::fail(Code::kCorrupt,
                        fmt::format("the {} token's id {} is outside the vocabulary of {} tokens",
                                    name, id, v.tokens.size()));
  if (!v.types.empty() && v.types.size() != v.tokens.size())
    return base::fail(Code::kCorrupt,
                      fmt::format("{} token types for {} tokens", v.types.size(), v.tokens.size()));
  if (v.model == "llama" && v.scores.size() != v.tokens.size())
    return base::fail(Code::kCorrupt,
                      fmt::format("{} scores for {} tokens", v.scores.size(), v.tokens.size()));
  if (v.model != "gpt2" && v.model != "llama")
    return base::fail(Code::kUnsupported, fmt::format("tokenizer model '{}' is not known", v.model),
                      "known: gpt2 (byte-level BPE), llama (SentencePiece BPE)");
  return {};
}

}  // namespace

Result<std::string> tokenizer_json(const GgufVocab& vocab) {
  TRY(validate(vocab));
  if (vocab.model == "llama") return base::dump_json(sentencepiece_bpe(vocab));
  return base::dump_json(TRY(byte_level_bpe(vocab)));
}

bool adds_bos(const GgufVocab& vocab) {
  if (vocab.bos < 0) return false;
  if (vocab.add_bos || vocab.model == "llama") return vocab.add_bos.value_or(true);
  const auto splits = pre_tokenizer(vocab.pre);
  return splits && splits->begins_with_bos;
}

std::vector<std::string> notes(const GgufVocab& vocab) {
  if (vocab.model != "gpt2" || !vocab.pre.empty()) return {};
  return {
      "the file names no pre-tokenizer (tokenizer.ggml.pre): text is split as llama.cpp does then, "
      "perhaps not as the model was trained"};
}

Result<Tokenizer> Tokenizer::from_pieces(const GgufVocab& vocab) {
  TRY(validate(vocab));
  const Json empty = {{"type", "BPE"}, {"vocab", Json::object()}, {"merges", Json::array()}};
  const std::string around = base::dump_json(sentencepiece(vocab, Json::array(), empty));
  std::vector<ffi::RawPiece> pieces;
  for (size_t id = 0; id < vocab.tokens.size(); ++id)
    pieces.push_back({.data = vocab.tokens[id].data(),
                      .len = vocab.tokens[id].size(),
                      .score = static_cast<float>(vocab.scores[id]),
                      .kind = static_cast<uint32_t>(kind_of(vocab, id))});
  void* handle = nullptr;
  ffi::Bytes error{};
  if (ffi::expunge_tokenizer_from_pieces(around.data(), around.size(), pieces.data(), pieces.size(),
                                         vocab.unk, &handle, &error))
    return base::fail(Code::kCorrupt, "vocabulary: " + ffi::take(error), "is the file complete?");
  return from_handle(handle);
}

Result<Tokenizer> Tokenizer::from_gguf(const GgufVocab& vocab) {
  Tokenizer t =
      TRY(vocab.model == "llama" ? from_pieces(vocab) : from_json(TRY(tokenizer_json(vocab))));
  if (adds_bos(vocab)) t.begin_ids_ = {static_cast<int32_t>(vocab.bos)};
  if (vocab.add_eos.value_or(false) && vocab.eos >= 0)
    t.end_ids_ = {static_cast<int32_t>(vocab.eos)};
  t.chat_begin_ids_ = t.begin_ids_;
  return t;
}

}  // namespace expunge::text
