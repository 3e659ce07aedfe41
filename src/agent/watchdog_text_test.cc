// How a message falls into words, and where patterns match.
#include "agent/watchdog_text.h"

#include <gmock/gmock.h>

namespace expunge::agent {
namespace {

std::vector<std::string> texts(std::string_view message) {
  std::vector<std::string> all;
  for (const Word& w : words_of(message)) all.push_back(w.text);
  return all;
}

TEST(Words, FoldQuotesCodeAndElisions) {
  EXPECT_THAT(texts("Don’t say \"forget it\", OK?"),
              testing::ElementsAre("don't", "say", "<quote>", ",", "ok", "?"));
  EXPECT_THAT(texts("je veux que tu l'oublies"),
              testing::ElementsAre("je", "veux", "que", "tu", "l", "oublies"));
  EXPECT_THAT(texts("run `rm -rf` now"), testing::ElementsAre("run", "<code>", "now"));
  EXPECT_THAT(texts("请忘掉。"), testing::ElementsAre("请", "忘", "掉", "。"));
  EXPECT_THAT(texts("1,240.50 euros"), testing::ElementsAre("1,240.50", "euros"));
  EXPECT_THAT(texts("ÜBER"), testing::ElementsAre("über"));
}

// Closing marks that are missing are searched for once, not from every opening mark.
TEST(Words, LongMessagesTakeLinearTime) {
  for (const char* unit :
       {"“a ", "„b ", "«c ", " 'd", "「e", "《f", "`g` ", "\"h\" ", "`i ", "and "}) {
    std::string text;
    while (text.size() < 1'000'000) text += unit;
    EXPECT_LE(words_of(text).size(), 600u) << unit;
  }
  EXPECT_THAT(texts("a “b c 'd “e” f"), testing::ElementsAre("a", "<quote>", "f"));
}

TEST(Pattern, GapsOpeningsAndEnds) {
  const std::vector<Pattern::Lexicon> lexicons = {{"verb", {{"get", "rid", "of"}, {"drop"}}}};
  const auto matches = [&](const char* pattern, const char* text) {
    return bool(Pattern::parse(pattern, lexicons)->find(words_of(text)));
  };
  EXPECT_TRUE(matches("^ $verb", "Could you please get rid of it"));
  EXPECT_FALSE(matches("^ $verb", "I will drop it"));
  EXPECT_TRUE(matches("take _ out", "take that number right out"));
  EXPECT_FALSE(matches("take _ out", "take that. Get out"));
  EXPECT_TRUE(matches("it &", "drop it."));
  EXPECT_FALSE(matches("it &", "drop it now"));
  EXPECT_TRUE(matches("lösch*", "gelöscht löschen"));
  EXPECT_FALSE(Pattern::parse("$nothing", lexicons));
}

}  // namespace
}  // namespace expunge::agent
