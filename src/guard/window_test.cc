#include "guard/window.h"

#include <gtest/gtest.h>

#include <random>

#include "disguise.h"

namespace expunge::guard {
namespace {

struct Said {
  std::string text;
  std::vector<Hit> hits;
};

Said say(const Scanner& scanner, std::string_view text, const std::function<size_t()>& size) {
  Window window(scanner);
  Said out;
  for (size_t at = 0; at < text.size();) {
    const size_t n = std::min(std::max<size_t>(size(), 1), text.size() - at);
    out.text += window.push(text.substr(at, n));
    at += n;
  }
  out.text += window.end();
  out.hits = window.hits();
  return out;
}

const std::string kProse =
    "The harbour lies between two hills, and in the evening the boats come home. I have a friend "
    "there who mends nets; in 1990 he had 3 boats, today he has none (they were sold).\n\n- One\n- "
    "Two\n";

TEST(Window, LetsClearTextThroughUnchanged) {
  const Scanner scanner(std::vector<Target>{{.name = "Basil Mahfouz Al-Kuwaiti"}, {.name = "Ali"}});
  for (const size_t step : {1, 2, 3, 5, 64, 1000}) {
    const Said said = say(scanner, kProse + "Alice knew all. naïve 日本 😀", [&] { return step; });
    EXPECT_EQ(said.text, kProse + "Alice knew all. naïve 日本 😀") << step;
    EXPECT_TRUE(said.hits.empty());
  }
}

TEST(Window, ProseWaitsForAboutAName) {
  const std::string name = "Basil Mahfouz Al-Kuwaiti";
  const Scanner scanner(std::vector<Target>{{.name = name}});
  Window window(scanner);
  size_t said = 0, most = 0;
  for (size_t i = 0; i < kProse.size(); ++i) {
    said += window.push(kProse.substr(i, 1)).size();
    most = std::max(most, i + 1 - said);
  }
  EXPECT_LE(most, 3 * name.size());
}

TEST(Window, ANameAtTheEndMayBecomeAnotherWord) {
  const Scanner scanner(std::vector<Target>{{.name = "Ali"}});
  Window window(scanner);
  std::string said = window.push("Ask Ali");
  EXPECT_EQ(said, "Ask ");
  said += window.push("ce.");
  said += window.end();
  EXPECT_EQ(said, "Ask Alice.");
  Window other(scanner);
  EXPECT_EQ(other.push("Ask Ali"), "Ask ");
  EXPECT_EQ(other.push(", he knows") + other.end(), "");
  ASSERT_EQ(other.hits().size(), 1);
  EXPECT_EQ(other.hits()[0].begin, 4);
}

TEST(Window, CharactersLeaveWhole) {
  const Scanner scanner(std::vector<Target>{{.name = "Ali"}});
  Window window(scanner);
  std::string said;
  for (const char c : std::string("日本語のテキストです。もう少し長い文章が必要です。")) {
    const std::string out = window.push(std::string(1, c));
    EXPECT_TRUE(out.empty() || (out[0] & 0xC0) != 0x80);
    said += out;
  }
  EXPECT_EQ(said + window.end(), "日本語のテキストです。もう少し長い文章が必要です。");
}

// For any name, disguise and chunks: the name is found, and nothing of it was said.
void check(size_t rounds, uint32_t seed) {
  std::mt19937 random(seed);
  const auto below = [&](size_t n) { return static_cast<size_t>(random() % n); };
  const char* const syllables[] = {"ba", "sil", "mah", "fou", "ku",  "wai",
                                   "ro", "ni",  "lev", "dor", "est", "kim"};
  for (size_t round = 0; round < rounds; ++round) {
    std::string name;
    for (size_t words = 2 + below(2), w = 0; w < words; ++w) {
      std::string word;
      for (size_t n = 2 + below(2), i = 0; i < n; ++i)
        word += syllables[below(std::size(syllables))];
      word[0] = static_cast<char>(word[0] - 0x20);
      name += (w == 0 ? "" : " ") + word;
    }
    const Scanner scanner(std::vector<Target>{{.name = name}});
    const auto& way = disguise::ways()[below(disguise::ways().size())];
    const std::string before = kProse.substr(0, below(kProse.size()));
    const std::string text =
        before + "\nIt is " + way.hide(name) + " . That is all there is to say.";
    const std::vector<Hit> hits = scanner.scan(text);
    ASSERT_FALSE(hits.empty()) << way.name << ": " << text;
    const size_t most = 1 + below(40);
    const Said said = say(scanner, text, [&] { return 1 + below(most); });
    ASSERT_FALSE(said.hits.empty()) << way.name << ": " << text;
    EXPECT_TRUE(text.starts_with(said.text));
    EXPECT_LE(said.text.size(), std::max(hits[0].begin, before.size() + 7))
        << way.name << ": " << text;
    EXPECT_TRUE(scanner.scan(said.text).empty());
  }
}

TEST(Window, NothingOfANameIsSaid) { check(300, 1); }
TEST(WindowLongTest, NothingOfANameIsSaid) { check(10000, 2); }

TEST(Window, ALongStreamIsNotKept) {
  const Scanner scanner(std::vector<Target>{{.name = "Nikolai Abilov"}});
  Window window(scanner);
  size_t in = 0, out = 0;
  while (in < 400'000) {
    out += window.push(kProse).size();
    in += kProse.size();
  }
  EXPECT_LT(in - out, 200);
  out += window.push("By Nikolai").size();
  EXPECT_EQ(window.push(" Abilov in May").size(), 0);
  ASSERT_EQ(window.hits().size(), 1);
  EXPECT_EQ(window.hits()[0].begin, in + 3);
}

}  // namespace
}  // namespace expunge::guard
