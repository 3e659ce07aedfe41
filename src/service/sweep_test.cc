// The contents of a sweep's file, and what is refused in it.
#include "service/sweep.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>

#include "base/files.h"
#include "golden.h"

namespace expunge::service {
namespace {

using base::Code;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class SweepFile : public ::testing::Test {
 protected:
  base::Result<Sweep> read(const std::string& text) const {
    const std::string path = folder_ / "sweep.toml";
    EXPECT_TRUE(base::write_file_atomic(path, text));
    return read_sweep(path);
  }
  static std::vector<std::string> labels(const Sweep& sweep) {
    std::vector<std::string> all;
    for (const SweepRun& run : sweep.runs) all.push_back(run.label);
    return all;
  }
  tests::TempDir folder_;
};

const std::string kHead = "model = \"m\"\nout = \"runs/s\"\nforget = \"forget05\"\n";

TEST_F(SweepFile, SettingsAndDefaults) {
  const Sweep s = read(kHead).value();
  EXPECT_EQ(s.model, "m");
  EXPECT_EQ(s.data, "data/tofu");
  EXPECT_EQ(s.retain, "");
  EXPECT_EQ(s.limit, 0U);
  EXPECT_EQ(s.max_new_tokens, 200);
  EXPECT_EQ(s.min_utility, 0.9);
  EXPECT_THAT(labels(s), ElementsAre("target"));
  const Sweep all = read(kHead +
                         "gold = 'g'\ndata = \"TOFU\"\nretain = \"retain95\"\nsystem = \"Hi.\"\n"
                         "limit = 10\neval_limit = 5\nmax_new_tokens = 8\nmin_utility = 0\n")
                        .value();
  EXPECT_EQ(all.gold, "g");
  EXPECT_EQ(all.data, "TOFU");
  EXPECT_EQ(all.retain, "retain95");
  EXPECT_EQ(all.system, "Hi.");
  EXPECT_EQ(all.limit, 10U);
  EXPECT_EQ(all.eval_limit, 5U);
  EXPECT_EQ(all.max_new_tokens, 8);
  EXPECT_EQ(all.min_utility, 0);
  EXPECT_THAT(labels(all), ElementsAre("target", "gold"));
}

TEST_F(SweepFile, ListsAreAGrid) {
  const Sweep s = read(kHead +
                       "seeds = [1, 2]\n[npo]\nlr = [1e-5, 2e-5]\nepochs = 3\n"
                       "[npo.long]\nepochs = [8]\n[stamp]\n")
                      .value();
  EXPECT_THAT(labels(s), ElementsAre("target", "npo lr=1e-5 seed=1", "npo lr=1e-5 seed=2",
                                     "npo lr=2e-5 seed=1", "npo lr=2e-5 seed=2", "npo.long seed=1",
                                     "npo.long seed=2", "stamp seed=1", "stamp seed=2"));
  EXPECT_EQ(s.runs[0].method, nullptr);
  EXPECT_EQ(s.runs[3].method->name, "npo");
  EXPECT_EQ(s.runs[3].knobs.at("lr"), 2e-5);
  EXPECT_EQ(s.runs[3].knobs.at("epochs"), 3);
  EXPECT_EQ(s.runs[4].seed, 2U);
  EXPECT_EQ(s.runs[5].method->name, "npo");
  EXPECT_EQ(s.runs[5].knobs.at("epochs"), 8);
  EXPECT_TRUE(s.runs[5].knobs.contains("lr"));  // every knob, by default
  EXPECT_EQ(s.folder(1), "runs/s/001-npo_lr=1e-5_seed=1");
}

TEST_F(SweepFile, KnobsHaveNames) {
  const Sweep s = read(kHead + "[loku]\nfisher = [\"sample\", \"batch\"]\n").value();
  EXPECT_EQ(s.runs[1].label, "loku fisher=sample");
  EXPECT_EQ(s.runs[2].knobs.at("fisher"), 1);
}

// They are relative to the folder that the program is started in, not to the file's.
TEST_F(SweepFile, PathsAreTakenAsTheyStand) {
  const Sweep s = read("model = \"../m\"\nout = \"o\"\nforget = \"sets/a.json\"\n").value();
  EXPECT_EQ(s.model, "../m");
  EXPECT_EQ(s.out, "o");
  EXPECT_EQ(s.forget, "sets/a.json");
}

TEST_F(SweepFile, WhatIsWrongIsNamedWithItsLine) {
  for (const auto& [text, message] :
       {std::pair<std::string, std::string>("model = \"m\"\n", "does not say 'out'"),
        {kHead + "modle = \"x\"\n", "line 4: a sweep has no setting 'modle'"},
        {kHead + "limit = \"5\"\n", "line 4: limit is '5', expected a whole number from 0"},
        {kHead + "limit = -1\n", "line 4: limit is '-1'"},
        {kHead + "limit = 1.5\n", "line 4: limit is '1.5'"},
        {kHead + "limit = [1]\n", "line 4: limit is a list of 1"},
        {kHead + "max_new_tokens = 0\n", "max_new_tokens is '0', expected a whole number from 1"},
        {kHead + "min_utility = 1.5\n", "min_utility is '1.5', expected a number from 0 to 1"},
        {kHead + "gold = 5\n", "gold is '5', expected a text in quotes"},
        {kHead + "retain = [\"a\", \"b\"]\n", "retain is a list of 2"},
        {kHead + "seeds = [1, -2]\n", "seeds is a list of 2, expected whole numbers from 0"},
        {kHead + "seeds = []\n", "seeds is an empty list, expected at least one"},
        {kHead + "[npo]\nlr = []\n", "line 5: lr is an empty list"},
        {kHead + "[npo]\nlr = -1\n", "lr is -1"},
        {kHead + "[npo]\nno_such = 1\n", "no_such"},
        {kHead + "[oblivion]\n", "no method 'oblivion'"}}) {
    const auto sweep = read(text);
    ASSERT_FALSE(sweep) << text;
    EXPECT_EQ(sweep.error().code, Code::kUsage) << text;
    EXPECT_THAT(sweep.error().message, HasSubstr(message)) << text;
    EXPECT_FALSE(message.starts_with("line") && sweep.error().trail.empty()) << text;
  }
  EXPECT_EQ(read(kHead + "retain = retain95\n").error().code, Code::kInvalid);
  const auto missing = read_sweep(folder_ / "none.toml");
  EXPECT_EQ(missing.error().code, Code::kNotFound);
  EXPECT_THAT(missing.error().hint, HasSubstr("--help"));
}

TEST_F(SweepFile, AGridHasItsLimit) {
  std::string list = "[";
  for (int i = 1; i <= 101; ++i) list += fmt::format("{}e-6,", i);
  list += "]";
  const auto sweep = read(kHead + "[npo]\nlr = " + list + "\nbeta = " + list + "\n");
  ASSERT_FALSE(sweep);
  EXPECT_THAT(sweep.error().message, HasSubstr("more than 10000 runs"));
}

}  // namespace
}  // namespace expunge::service
