// The split expressions are those of the models' own tokenizer.json files; which name stands for
// which, and the expressions of "default" and "falcon", are llama.cpp's (llama-vocab.cpp).
#include "text/pre_tokenizer.h"

#include <algorithm>
#include <array>

namespace expunge::text {
namespace {

using base::Code;
using base::Json;
using base::Result;

// Parts that the expressions share.
const std::string kContractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
const std::string kLead = "[^\\r\\n\\p{L}\\p{N}]?";
const std::string kUpper = "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]";
const std::string kLower = "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]";
const std::string kSpaces = "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
const std::string kSigns = "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*" + kSpaces;
const std::string kSignsSlash = "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*" + kSpaces;

std::string gpt2() {
  return "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
}
std::string llama3() { return kContractions + "|" + kLead + "\\p{L}+|\\p{N}{1,3}" + kSigns; }
std::string qwen2() { return kContractions + "|" + kLead + "\\p{L}+|\\p{N}" + kSigns; }
std::string qwen35() {
  return kContractions + "|" + kLead +
         "[\\p{L}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*" + kSpaces;
}
// Words by their capitals, each with what may follow.
std::string by_capitals(const std::string& after) {
  return kLead + kUpper + "*" + kLower + "+" + after + "|" + kLead + kUpper + "+" + kLower + "*" +
         after;
}
std::string tekken() { return by_capitals("") + "|\\p{N}" + kSignsSlash; }
std::string gpt4o() { return by_capitals(kContractions + "?") + "|\\p{N}{1,3}" + kSignsSlash; }

enum class Split { kDefault, kFalcon, kGpt2, kDigits, kLlama3, kQwen2, kQwen35, kTekken, kGpt4o };

struct Named {
  const char* name;
  Split split;
  bool ignores_merges = false, begins_with_bos = false;
};
constexpr auto kNamed = std::to_array<Named>({
    {"default", Split::kDefault},
    {"llama-bpe", Split::kLlama3, true, true},
    {"llama3", Split::kLlama3, true, true},
    {"llama-v3", Split::kLlama3, true, true},
    {"falcon3", Split::kLlama3, true, true},
    {"pixtral", Split::kLlama3, true, true},
    {"lfm2", Split::kLlama3, true, true},
    {"dbrx", Split::kLlama3},
    {"smaug-bpe", Split::kLlama3},
    {"glm4", Split::kLlama3},
    {"chatglm-bpe", Split::kLlama3},
    {"qwen2", Split::kQwen2},
    {"deepseek-r1-qwen", Split::kQwen2},
    {"stablelm2", Split::kQwen2},
    {"hunyuan", Split::kQwen2},
    {"megrez", Split::kQwen2},
    {"qwen35", Split::kQwen35},
    {"smollm", Split::kDigits},
    {"starcoder", Split::kDigits},
    {"refact", Split::kDigits},
    {"command-r", Split::kDigits},
    {"codeshell", Split::kDigits},
    {"exaone", Split::kDigits},
    {"minerva-7b", Split::kDigits},
    {"gpt-2", Split::kGpt2},
    {"phi-2", Split::kGpt2},
    {"olmo", Split::kGpt2},
    {"mpt", Split::kGpt2},
    {"jais", Split::kGpt2},
    {"trillion", Split::kGpt2},
    {"gigachat", Split::kGpt2},
    {"exaone4", Split::kGpt2},
    {"tekken", Split::kTekken, true, true},
    {"gpt-4o", Split::kGpt4o},
    {"llama4", Split::kGpt4o},
    {"falcon", Split::kFalcon},
});

Json split(const std::string& regex) {
  return {{"type", "Split"},
          {"pattern", {{"Regex", regex}}},
          {"behavior", "Isolated"},
          {"invert", false}};
}
Json sequence(std::initializer_list<Json> steps) {
  return {{"type", "Sequence"}, {"pretokenizers", Json(steps)}};
}

Json json_of(Split kind) {
  switch (kind) {
    case Split::kDefault:
      return sequence({split("[\\p{P}\\$\\+<=>\\^~\\|]+"), split(gpt2()), split("\\p{N}+"),
                       split("[0-9][0-9][0-9]"), byte_level(false)});
    case Split::kFalcon:
      return sequence({split("[\\p{P}\\$\\+<=>\\^~\\|`]+"), split(gpt2()), split("[0-9][0-9][0-9]"),
                       byte_level(false)});
    case Split::kGpt2:
      return byte_level(true);
    case Split::kDigits:
      return sequence({{{"type", "Digits"}, {"individual_digits", true}}, byte_level(true)});
    case Split::kLlama3:
      return sequence({split(llama3()), byte_level(false)});
    case Split::kQwen2:
      return sequence({split(qwen2()), byte_level(false)});
    case Split::kQwen35:
      return sequence({split(qwen35()), byte_level(false)});
    case Split::kTekken:
      return sequence({split(tekken()), byte_level(false)});
    case Split::kGpt4o:
      return sequence({split(gpt4o()), byte_level(false)});
  }
  CHECK(false);
}

}  // namespace

Json byte_level(bool own_regex) {
  return {{"type", "ByteLevel"},
          {"add_prefix_space", false},
          {"trim_offsets", false},
          {"use_regex", own_regex}};
}

Result<PreTokenizer> pre_tokenizer(const std::string& name) {
  const auto found = std::ranges::find(kNamed, name.empty() ? "default" : name,
                                       [](const Named& n) { return std::string_view(n.name); });
  if (found == kNamed.end()) {
    std::vector<std::string_view> known;
    for (const Named& n : kNamed) known.push_back(n.name);
    return base::fail(
        Code::kUnsupported,
        fmt::format("pre-tokenizer '{}' (tokenizer.ggml.pre) is not known", name),
        fmt::format("known: {}; a Hugging Face folder of the model brings its own tokenizer.json",
                    fmt::join(known, ", ")));
  }
  return PreTokenizer{json_of(found->split), found->ignores_merges, found->begins_with_bos};
}

}  // namespace expunge::text
