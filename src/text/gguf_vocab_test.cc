#include <gmock/gmock.h>

#include <set>

#include "base/files.h"
#include "text/pre_tokenizer.h"
#include "text/tokenizer.h"
#include "tiny_vocab.h"

namespace expunge::text {
namespace {

using base::Code;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Ids = std::vector<int32_t>;

// A vocabulary of tests/data/sentencepiece, with texts and their ids.
struct Vectors {
  std::vector<std::string> tokens, texts;
  std::vector<Ids> ids;
  GgufVocab vocab;

  explicit Vectors(const std::string& name) {
    const auto file =
        base::read_json(EXPUNGE_SOURCE_DIR "/tests/data/sentencepiece/vectors.json").value();
    vocab.model = "llama";
    for (const auto& piece : file[name]["pieces"]) {
      tokens.push_back(piece[0]);
      vocab.scores.push_back(piece[1]);
      vocab.types.push_back(piece[2]);
    }
    vocab.tokens.assign(tokens.begin(), tokens.end());
    vocab.unk = 0, vocab.bos = 1, vocab.eos = 2;
    texts = file["texts"].get<std::vector<std::string>>();
    ids = file[name]["ids"].get<std::vector<Ids>>();
  }
};

// "trained" holds the sentencepiece package's ids; "ties" has equal scores.
TEST(GgufVocab, ReproducesTheSentencePieceVectors) {
  for (const char* name : {"trained", "ties"}) {
    const Vectors v(name);
    const Tokenizer t = Tokenizer::from_gguf(v.vocab).value();
    ASSERT_GE(v.texts.size(), 50U);
    for (size_t i = 0; i < v.texts.size(); ++i) {
      const Encoding e = t.encode(v.texts[i]).value();
      EXPECT_EQ(e.ids, v.ids[i]) << name << ": " << v.texts[i];
      EXPECT_EQ(e.bytes.empty() ? 0 : e.bytes.back().end, v.texts[i].size()) << v.texts[i];
      std::string text = v.texts[i];
      for (size_t at; (at = text.find("▁")) != text.npos;) text.replace(at, 3, " ");
      EXPECT_EQ(t.decode(e.ids).value(), text);
    }
  }
}

// What an exported folder holds: the same where no scores are equal.
TEST(GgufVocab, TokenizerJsonOfPiecesGivesTheSameIds) {
  const Vectors v("trained");
  const Tokenizer t = Tokenizer::from_json(tokenizer_json(v.vocab).value()).value();
  for (size_t i = 0; i < v.texts.size(); ++i)
    EXPECT_EQ(t.encode(v.texts[i]).value().ids, v.ids[i]) << v.texts[i];
}

// Gemma's form: no space before a text, and runs of blanks that are tokens of their own.
TEST(GgufVocab, KeepsSpacesAndMatchesUserDefinedTokensFirst) {
  Vectors v("trained");
  v.vocab.add_space_prefix = false;
  for (const char* token : {"\n\n", "  ", "<b>"}) {
    v.tokens.push_back(token);
    v.vocab.scores.push_back(0);
    v.vocab.types.push_back(4);
  }
  v.vocab.tokens.assign(v.tokens.begin(), v.tokens.end());
  const Tokenizer t = Tokenizer::from_gguf(v.vocab).value();
  const auto first = static_cast<int32_t>(v.tokens.size()) - 3;
  EXPECT_THAT(t.encode("\n\n  <b>").value().ids, ElementsAre(first, first + 1, first + 2));
  EXPECT_EQ(t.encode(" the").value().ids, Ids{t.id_of("▁the")});
  EXPECT_NE(t.encode("the").value().ids, Ids{t.id_of("▁the")});
  for (const std::string text : {"a\n\nb", "   the", " ", "the<b>the", "é\n\n\n"})
    EXPECT_EQ(t.decode(t.encode(text).value().ids).value(), text);
}

TEST(GgufVocab, PlacesBosAndEosAsTheFileSays) {
  Vectors v("trained");
  EXPECT_THAT(Tokenizer::from_gguf(v.vocab)->begin_ids(), ElementsAre(1));  // without a word
  EXPECT_THAT(Tokenizer::from_gguf(v.vocab)->end_ids(), IsEmpty());
  v.vocab.add_bos = false, v.vocab.add_eos = true;
  EXPECT_THAT(Tokenizer::from_gguf(v.vocab)->begin_ids(), IsEmpty());
  EXPECT_THAT(Tokenizer::from_gguf(v.vocab)->end_ids(), ElementsAre(2));
  for (const char* pre : {"llama-bpe", "qwen2"}) {
    tests::ByteVocab b(pre);
    b.vocab.bos = tests::kImStart;
    EXPECT_EQ(Tokenizer::from_gguf(b.vocab)->begin_ids().size(), pre[0] == 'l' ? 1U : 0U);
    b.vocab.bos = -1;  // and none to place
    EXPECT_THAT(Tokenizer::from_gguf(b.vocab)->begin_ids(), IsEmpty());
  }
}

TEST(GgufVocab, UnusedTokensPadAndAreNone) {
  tests::ByteVocab v;
  v.tokens.push_back("[PAD261]");
  v.tokens.push_back("[PAD262]");
  v.tokens.push_back("x y");
  v.vocab.tokens.assign(v.tokens.begin(), v.tokens.end());
  v.vocab.types.insert(v.vocab.types.end(), {5, 5, 4});
  const Tokenizer t = Tokenizer::from_gguf(v.vocab).value();
  EXPECT_EQ(t.vocab_size(), 264U);
  for (const int64_t id : {-1, 261, 262, 264, 1 << 30}) EXPECT_FALSE(t.is_token(id)) << id;
  for (const int64_t id : {0, 260, 263}) EXPECT_TRUE(t.is_token(id)) << id;
  EXPECT_EQ(t.decode(Ids{'a', 261, 262, 300, -1, 'b', 263}).value(), "abx y");
  EXPECT_EQ(t.id_of("[PAD261]"), -1);
  Vectors p("trained");
  p.vocab.types.back() = 5;
  const Tokenizer pieces = Tokenizer::from_gguf(p.vocab).value();
  EXPECT_FALSE(pieces.is_token(static_cast<int64_t>(p.tokens.size()) - 1));
  EXPECT_EQ(pieces.decode(Ids{static_cast<int32_t>(p.tokens.size()) - 1}).value(), "");
}

// A file may call the end of a turn user defined or normal.
TEST(GgufVocab, EndsOfTurnsAreControlTokensWhateverTheirType) {
  for (const int64_t type : {1, 3, 4}) {
    tests::ByteVocab v;
    v.vocab.types[tests::kImEnd] = type;
    const Tokenizer t = Tokenizer::from_gguf(v.vocab).value();
    EXPECT_THAT(t.encode("a<|im_end|>").value().ids, testing::Not(testing::Contains(257)));
    EXPECT_THAT(t.encode_with_specials("a<|im_end|>").value().ids, ElementsAre('a', 257));
  }
}

// Gemma's GGUF calls the tag user defined; to llama.cpp it ends a turn.
TEST(GgufVocab, TheTagOfStruckTextIsOrdinaryText) {
  Vectors v("trained");
  const auto tag = std::ranges::find(v.tokens, "</s>") - v.tokens.begin();
  v.vocab.eos = 0;
  v.vocab.types[static_cast<size_t>(tag)] = 4;
  const Tokenizer t = Tokenizer::from_gguf(v.vocab).value();
  EXPECT_THAT(t.encode("the</s>").value().ids, testing::Not(testing::Contains(tag)));
  EXPECT_EQ(t.decode(t.encode("the</s>").value().ids).value(), "the</s>");
  EXPECT_THAT(t.encode_with_specials("the</s>").value().ids, testing::Contains(tag));
}

TEST(GgufVocab, IgnoresMergesWhereTheFamilyDoes) {
  tests::ByteVocab v("llama-bpe");
  v.tokens.push_back("that");  // no merge leads to it
  v.vocab.tokens.assign(v.tokens.begin(), v.tokens.end());
  v.vocab.types.push_back(1);
  EXPECT_THAT(Tokenizer::from_gguf(v.vocab)->encode("that").value().ids, ElementsAre(261));
  EXPECT_THAT(Tokenizer::from_gguf(v.vocab)->encode("thats").value().ids,
              ElementsAre(258, 'a', 't', 's'));
  v.vocab.pre = "dbrx";  // the same expression with merges
  EXPECT_THAT(Tokenizer::from_gguf(v.vocab)->encode("that").value().ids,
              ElementsAre(258, 'a', 't'));
}

TEST(GgufVocab, EveryPreTokenizerSplitsAndNothingIsLost) {
  const std::string text = "DON'T can't  HTTPServer 12345 x\n\n  y\u0301 東京!!\t🦙 ...\r\n ";
  for (const char* pre :
       {"default", "llama-bpe", "llama3",    "dbrx",   "smaug-bpe", "qwen2",  "deepseek-r1-qwen",
        "qwen35",  "smollm",    "starcoder", "refact", "command-r", "gpt-2",  "phi-2",
        "olmo",    "mpt",       "tekken",    "gpt-4o", "llama4",    "falcon", ""}) {
    const auto t = Tokenizer::from_gguf(tests::ByteVocab(pre).vocab);
    ASSERT_TRUE(t) << pre << ": " << t.error().message;
    EXPECT_EQ(t->decode(t->encode(text).value().ids).value(), text) << pre;
  }
}

TEST(GgufVocab, NamesWhatItDoesNotKnowAndNotesWhatIsMissing) {
  tests::ByteVocab v("no-such-pre");
  const auto unknown = Tokenizer::from_gguf(v.vocab);
  EXPECT_EQ(unknown.error().code, Code::kUnsupported);
  EXPECT_THAT(unknown.error().message, HasSubstr("'no-such-pre'"));
  EXPECT_THAT(unknown.error().hint, HasSubstr("llama-bpe"));
  EXPECT_THAT(notes(tests::ByteVocab("gpt-2").vocab), IsEmpty());
  EXPECT_THAT(notes(tests::ByteVocab("").vocab), ElementsAre(HasSubstr("tokenizer.ggml.pre")));
  EXPECT_THAT(notes(Vectors("ties").vocab), IsEmpty());  // it needs none
}

TEST(GgufVocab, BrokenPiecesAreErrors) {
  const auto refused = [](auto change) {
    Vectors v("trained");
    change(v);
    v.vocab.tokens.assign(v.tokens.begin(), v.tokens.end());
    const auto t = Tokenizer::from_gguf(v.vocab);
    return t ? "accepted" : t.error().message;
  };
  EXPECT_THAT(refused([](Vectors& v) { v.tokens[300] = v.tokens[301]; }), HasSubstr("are both"));
  EXPECT_THAT(refused([](Vectors& v) { v.vocab.scores[300] = NAN; }), HasSubstr("score"));
  EXPECT_THAT(refused([](Vectors& v) { v.tokens[300] = "\xff"; }), HasSubstr("not valid UTF-8"));
  EXPECT_THAT(refused([](Vectors& v) { v.vocab.types[300] = 6; }), HasSubstr("byte token"));
  EXPECT_THAT(refused([](Vectors& v) { v.vocab.types.pop_back(); }), HasSubstr("token types"));
  EXPECT_THAT(refused([](Vectors& v) { v.vocab.bos = 1'000'000; }), HasSubstr("BOS"));
  EXPECT_THAT(refused([](Vectors& v) {
                v.vocab.unk = -1;
                v.vocab.types[3 + 0x41] = 5;
              }),
              HasSubstr("<0x41>"));
  EXPECT_EQ(refused([](Vectors& v) { v.tokens[300].clear(); }), "accepted");  // no text becomes it
}

}  // namespace
}  // namespace expunge::text
