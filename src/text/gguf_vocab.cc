// A GGUF names its pre-tokenizer and lists tokens; this writes the equivalent tokenizer.json.
// The split expressions are those of llama.cpp (llama-vocab.cpp) and of the models' own files.
#include <algorithm>
#include <unordered_map>

#include "text/tokenizer.h"

namespace expunge::text {
namespace {

using base::Code;
using base::Json;
using base::Result;

Json byte_level(bool own_regex) {
  return {{"type", "ByteLevel"},
          {"add_prefix_space", false},
          {"trim_offsets", false},
          {"use_regex", own_regex}};
}
Json split(const char* regex) {
  return {{"type", "Split"},
          {"pattern", {{"Regex", regex}}},
          {"behavior", "Isolated"},
          {"invert", false}};
}
Json sequence(std::initializer_list<Json> steps) {
  return {{"type", "Sequence"}, {"pretokenizers", Json(steps)}};
}

constexpr const char* kLlama3 =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| "
    "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
constexpr const char* kQwen2 =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| "
    "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

Result<Json> pre_tokenizer(const std::string& pre) {
  if (pre == "gpt-2" || pre == "default" || pre.empty()) return byte_level(true);
  if (pre == "smollm" || pre == "starcoder" || pre == "refact" || pre == "command-r")
    return sequence({{{"type", "Digits"}, {"individual_digits", true}}, byte_level(true)});
  if (pre == "llama-bpe" || pre == "llama3" || pre == "llama-v3")
    return sequence({split(kLlama3), byte_level(false)});
  if (pre == "qwen2") return sequence({split(kQwen2), byte_level(false)});
  return base::fail(Code::kUnsupported, fmt::format("pre-tokenizer '{}' is not known", pre),
                    "known: smollm, gpt-2, llama-bpe, qwen2, starcoder, refact, command-r");
}

Json added_tokens(const GgufVocab& v) {
  Json list = Json::array();
  for (size_t id = 0; id < v.tokens.size(); ++id) {
    const int64_t type = id < v.types.size() ? v.types[id] : 1;
    if (type != 3 && type != 4 && static_cast<int64_t>(id) != v.unk) continue;
    list.push_back({{"id", id},
                    {"content", v.tokens[id]},
                    {"single_word", false},
                    {"lstrip", false},
                    {"rstrip", false},
                    {"normalized", false},
                    {"special", type != 4}});
  }
  return list;
}

Json vocab_object(const GgufVocab& v) {
  Json vocab = Json::object();
  auto& object = vocab.get_ref<Json::object_t&>();
  object.reserve(v.tokens.size());
  // push_back: ordered_json's insertion searches all earlier keys.
  for (size_t id = 0; id < v.tokens.size(); ++id)
    object.push_back({std::string(v.tokens[id]), Json(id)});
  return vocab;
}

Result<Json> byte_level_bpe(const GgufVocab& v) {
  Json merges = Json::array();
  for (const std::string_view merge : v.merges) merges.push_back(merge);
  Json split = TRY(pre_tokenizer(v.pre));
  return Json{{"added_tokens", added_tokens(v)},
              {"normalizer", nullptr},
              {"pre_tokenizer", std::move(split)},
              {"post_processor", nullptr},
              {"decoder", byte_level(true)},
              {"model",
               {{"type", "BPE"},
                {"vocab", vocab_object(v)},
                {"merges", std::move(merges)},
                {"fuse_unk", false},
                {"byte_fallback", false}}}};
}

// SentencePiece BPE has scores instead of merges: every way to cut a piece into two pieces is a
// merge, ranked by the piece's score (transformers, convert_slow_tokenizer.generate_merges).
Json merges_from_scores(const GgufVocab& v) {
  std::unordered_map<std::string_view, size_t> ids;
  for (size_t id = 0; id < v.tokens.size(); ++id) ids.emplace(v.tokens[id], id);
  struct Merge {
    double score;
    size_t left, right;
  };
  std::vector<Merge> merges;
  for (size_t id = 0; id < v.tokens.size(); ++id) {
    if (id < v.types.size() && v.types[id] != 1) continue;
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

Result<Json> sentencepiece_bpe(const GgufVocab& v) {
  if (v.scores.size() != v.tokens.size())
    return base::fail(Code::kCorrupt,
                      fmt::format("{} scores for {} tokens", v.scores.size(), v.tokens.size()));
  Json normalizers = Json::array();
  if (v.add_space_prefix) normalizers.push_back({{"type", "Prepend"}, {"prepend", "▁"}});
  normalizers.push_back({{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", "▁"}});
  const Json decoders = {
      {{"type", "Replace"}, {"pattern", {{"String", "▁"}}}, {"content", " "}},
      {{"type", "ByteFallback"}},
      {{"type", "Fuse"}},
      {{"type", "Strip"}, {"content", " "}, {"start", v.add_space_prefix ? 1 : 0}, {"stop", 0}}};
  Json model = {{"type", "BPE"},
                {"vocab", vocab_object(v)},
                {"merges", merges_from_scores(v)},
                {"fuse_unk", true},
                {"byte_fallback", true}};
  if (v.unk >= 0) model["unk_token"] = v.tokens[static_cast<size_t>(v.unk)];
  return Json{{"added_tokens", added_tokens(v)},
              {"normalizer", {{"type", "Sequence"}, {"normalizers", normalizers}}},
              {"pre_tokenizer", nullptr},
              {"post_processor", nullptr},
              {"decoder", {{"type", "Sequence"}, {"decoders", decoders}}},
              {"model", model}};
}

}  // namespace

Result<std::string> tokenizer_json(const GgufVocab& vocab) {
  if (vocab.unk >= static_cast<int64_t>(vocab.tokens.size()))
    return base::fail(Code::kCorrupt, "the unknown token's id is outside the vocabulary");
  if (vocab.model == "gpt2") return base::dump_json(TRY(byte_level_bpe(vocab)));
  if (vocab.model == "llama") return base::dump_json(TRY(sentencepiece_bpe(vocab)));
  return base::fail(Code::kUnsupported,
                    fmt::format("tokenizer model '{}' is not known", vocab.model),
                    "known: gpt2 (byte-level BPE), llama (SentencePiece BPE)");
}

Result<Tokenizer> Tokenizer::from_gguf(const GgufVocab& vocab) {
  return from_json(TRY(tokenizer_json(vocab)));
}

}  // namespace expunge::text
