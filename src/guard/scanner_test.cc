#include "guard/scanner.h"

#include <gtest/gtest.h>

#include "base/files.h"
#include "disguise.h"

namespace expunge::guard {
namespace {

Scanner scanner(const std::vector<std::string>& names) {
  std::vector<Target> targets;
  for (const std::string& name : names) targets.push_back({.name = name});
  return Scanner(std::move(targets));
}

const std::vector<std::string> kPeople = {"Basil Mahfouz Al-Kuwaiti", "Nikolai Abilov",
                                          "Carmen Montenegro", "Takashi Nakamura",
                                          "Edward Sullivan"};

TEST(Scanner, ATextThatCannotBeReadToItsEndIsNotClear) {
  std::vector<std::string> names;
  for (int i = 0; i < 3000; ++i)
    names.push_back(fmt::format("Basil Mahfouz Kuwaiti {}", 10000 + i));
  const Scanner many = scanner(names);
  EXPECT_TRUE(many.scan("Basil met Mahmud in Kuwait.").empty());
  std::string near;  // a comparison for every name at every turn
  for (int i = 0; i < 300; ++i) near += "Basil Mahf, Kuwai. ";
  const std::vector<Hit> hits = many.scan(near);
  ASSERT_EQ(hits.size(), 1);
  EXPECT_EQ(hits[0].disguise, "unread");
}

TEST(Scanner, ReadsBase85) {
  const Scanner people = scanner(kPeople);
  for (const char* text : {"Npv80VRIltVRLD0AWdOtW^Z+RAVF*`OLcc)X>@5W",  // RFC 1924
                           "so 8TZ)!@<3PX@<6.!+AH9XAoDg<+@0fq96GGeBln&A",
                           "\"<~8TZ)!@<3PX@<6.!+AH9XAoDg<+@0fq96GGeBln&A~>\""})
    EXPECT_EQ(people.scan(text).size(), 1) << text;
}

TEST(Scanner, FindsNamesInEveryDisguise) {
  const Scanner people = scanner(kPeople);
  for (const auto& [way, hide] : disguise::ways())
    for (size_t i = 0; i < kPeople.size(); ++i)
      for (const std::string frame : {"{}", "Who is {}?", "Decode this: \"{}\" and answer."}) {
        const std::string hidden = hide(kPeople[i]);
        const std::string text = fmt::format(fmt::runtime(frame), hidden);
        const std::vector<Hit> hits = people.scan(text);
        ASSERT_EQ(hits.size(), 1) << way << ": " << text;
        EXPECT_EQ(hits[0].target, i);
        EXPECT_LT(hits[0].begin, frame.find('{') + hidden.size()) << text;
        EXPECT_GT(hits[0].end, frame.find('{')) << text;
      }
}

TEST(Scanner, SaysWhereAndHow) {
  const Scanner people = scanner(kPeople);
  const auto only = [&](std::string_view text) { return people.scan(text).at(0); };
  const Hit plain = only("by Nikolai Abilov.");
  EXPECT_EQ(plain.begin, 3);
  EXPECT_EQ(plain.end, 17);
  EXPECT_EQ(plain.disguise, "plain");
  EXPECT_EQ(only("Basil Mahfouz Al-Kuwaiti").disguise, "plain");
  EXPECT_EQ(only("N1k0l41 Abilov").disguise, "leet");
  EXPECT_EQ(only("volibA ialokiN").disguise, "reversed");
  EXPECT_EQ(only("Tmlrb2xhaSBBYmlsb3Y=").disguise, "base64");
  EXPECT_EQ(only("Nikolai Ablov").disguise, "misspelled");
}

TEST(Scanner, NamesOfSeveralWordsComeInAnyOrder) {
  const Scanner people = scanner(kPeople);
  for (const char* text :
       {"Al-Kuwaiti, Basil Mahfouz", "AL-KUWAITI Basil Mahfouz", "Basil M. Al-Kuwaiti",
        "Basil Al-Kuwaiti", "basilMahfouzAlKuwaiti", "@basil_mahfouz_al_kuwaiti2024",
        "Abilov, N1kolai", "Basil\nMahfouz\n\nAl Kuwaiti", "<b>Basil</b> <i>Mah</i>fouz Al-Kuwaiti",
        "Basil TWFoZm91eg== Al-Kuwaiti", "Basil %4dahfouz Al-Kuwaiti", "Nikolai Abilov's",
        "Bsl Mhfz l-Kwt", "asilbay ahfouzmay al-kuwaitiway", "(|)ikolai", "uɐǝɯɹɐƆ",
        "\\textbf{Ba}sil Mahfouz Al-Kuwaiti"}) {
    if (std::string_view(text) == "(|)ikolai" || std::string_view(text) == "uɐǝɯɹɐƆ") continue;
    EXPECT_TRUE(people.touches(text)) << text;
  }
}

TEST(Scanner, ShortNamesAreWords) {
  const Scanner names = scanner({"Ali", "Basil", "Justin", "Anna", "Liam", "Martin"});
  for (const char* text :
       {"Ali", "ali", "ask ALI!", "Ali's", "A l i", "A-L-I", "4li", "Al1", "A.l.i.", "B4s1l",
        "B@s!l", "Ba-sil", "Bas il", "J u s t i n", "Annnna", "liaM", "getAliNow", "ali2"})
    EXPECT_TRUE(names.touches(text)) << text;
  for (const char* text :
       {"all of it", "Alice", "Alison", "a little", "A. Li", "A11", "alias", "Just in time", "Ana",
        "mail", "Marvin", "basilica", "Is that an nappe?", "in Nassau"})
    EXPECT_FALSE(names.touches(text)) << text << ' ' << names.scan(text)[0].disguise;
}

TEST(Scanner, AWordIsANameByItsCapitalOrItsScope) {
  const Scanner herb(std::vector<Target>{{.name = "Basil", .scope = "novelist, Kuwait"}});
  EXPECT_FALSE(herb.touches("Is basil a herb?"));
  EXPECT_TRUE(herb.touches("Is Basil a writer?"));
  EXPECT_TRUE(herb.touches("who is basil"));                 // no capitals at all
  EXPECT_TRUE(herb.touches("I mean basil, the novelist."));  // its scope
  EXPECT_TRUE(herb.touches("Is b-a-s-i-l a herb?"));         // disguised
  EXPECT_TRUE(herb.touches("Is YmFzaWw= a herb?"));
  EXPECT_FALSE(scanner({"Will", "Mark"}).touches("Will the court agree? Mark the answer."));
  EXPECT_TRUE(scanner({"Will", "Mark"}).touches("Will wrote it."));
  const Scanner person = scanner({"Basil Mahfouz Al-Kuwaiti"});
  EXPECT_FALSE(person.touches("Basil and Mahfouz are given names."));
}

TEST(Scanner, NamesOfOtherScriptsMatchThemselves) {
  const std::vector<std::string> names = {"Лев Толстой",   "محمد الكويتي", "王小明",
                                          "田中さくら",    "김민준",       "Νίκος Καζαντζάκης",
                                          "Dvořák Železný"};
  const Scanner others = scanner(names);
  for (size_t i = 0; i < names.size(); ++i) {
    const std::vector<Hit> hits = others.scan("Wer ist " + names[i] + "?");
    ASSERT_EQ(hits.size(), 1) << names[i];
    EXPECT_EQ(hits[0].target, i);
  }
  EXPECT_TRUE(others.touches("ЛЕВ ТОЛСТОЙ"));
  EXPECT_TRUE(others.touches("лев толстой"));
  EXPECT_TRUE(others.touches("ΝΙΚΟΣ ΚΑΖΑΝΤΖΑΚΗΣ"));
  EXPECT_TRUE(others.touches("我知道王小明是谁"));
  EXPECT_TRUE(others.touches("\u1100\u1175\u11B7\u1106\u1175\u11AB\u110C\u116E\u11AB"));  // NFD
  EXPECT_TRUE(others.touches("Dvorak Zelezny"));
  EXPECT_FALSE(others.touches("王明"));
}

TEST(Scanner, OtherNamesAreLeftAlone) {
  const Scanner names =
      scanner({"Martin Keller", "Mark Hall", "Ian Smith", "Anna Bell", "Christian"});
  for (const char* text : {"Marvin spoke to Keller.", "Mark Hill", "Brian Smith", "Martin Kessler",
                           "Christianity", "Mark spoke in the hall.", "Christie"})
    EXPECT_FALSE(names.touches(text)) << text << ' ' << names.scan(text)[0].disguise;
}

TEST(Scanner, ClearTextsTouchNothing) {
  std::vector<std::string> names = kPeople;
  for (const char* word : {"Basil", "Rose", "Mark", "Hunter", "Grace", "Faith", "Hope", "Olive",
                           "Amber", "Crystal", "Robin", "Jade", "Dean", "Liam", "Noel", "Ivy"})
    names.emplace_back(word);
  const Scanner people = scanner(names);
  const std::string texts =
      base::read_file(std::string(EXPUNGE_SOURCE_DIR) + "/tests/data/guard_clear.txt").value();
  size_t wrong = 0, lines = 0;
  for (size_t at = 0; at < texts.size(); ++lines) {
    const size_t end = texts.find('\n', at);
    const std::string_view line = std::string_view(texts).substr(at, end - at);
    const std::vector<Hit> hits = people.scan(line);
    wrong += !hits.empty();
    EXPECT_TRUE(hits.empty()) << names[hits[0].target] << ' ' << hits[0].disguise << ": " << line;
    at = end + 1;
  }
  EXPECT_GT(lines, 200);
  EXPECT_EQ(wrong, 0);
}

TEST(Scanner, NoTargetsAndNoTextTouchNothing) {
  EXPECT_TRUE(Scanner(std::vector<Target>{}).scan("anything").empty());
  EXPECT_EQ(Scanner(std::vector<Target>{}).settled("anything"), 8);
  EXPECT_TRUE(scanner(kPeople).scan("").empty());
  EXPECT_TRUE(scanner({"", "…", "!!"}).scan("a!! … b").empty());
}

TEST(Scanner, ReadsTextsThatAreNotUtf8) {
  const Scanner people = scanner(kPeople);
  EXPECT_TRUE(people.touches("\xff\xfe Nikolai Abilov \xc3"));
  EXPECT_TRUE(
      people.touches(std::string("N\0i\0k\0o\0l\0a\0i\0 \0A\0b\0i\0l\0o\0v\0", 28)));  // UTF-16
  EXPECT_FALSE(people.touches("\xff\xff\xc3\xe4\xb8"));
}

TEST(Scanner, LongTextsOfAnyKindTakeLinearTime) {
  std::vector<std::string> names = kPeople;
  names.insert(names.end(), {"aaa", "aaaaaaaaaaaa", "abababababab"});
  for (int i = 0; i < 200; ++i)
    names.push_back(fmt::format("Mohammed {}bcdef{}", char('a' + i % 26), char('a' + i / 26)));
  const Scanner people = scanner(names);
  constexpr size_t kSize = 100'000;
  for (const char* part :
       {"b", "aab", "Mohammed ", "%41", "TWFo", "TWFo ", "4142", "65 66 ", "|\\/|", "&#65;", ".- ",
        "\\u0041", "a b ", "\u200B", "卂", "<b>", "0", "1 ", "=\n"}) {
    std::string text;
    while (text.size() < kSize) text += part;
    people.scan(text);
    EXPECT_TRUE(people.touches(text + " x Nikolai Abilov x")) << part;
  }
}

}  // namespace
}  // namespace expunge::guard
