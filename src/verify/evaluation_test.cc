// When an evaluation's file is reused, with a suite that counts what it computes.
#include "verify/evaluation.h"

#include <gmock/gmock.h>
#include <stdlib.h>

#include <filesystem>

#include "base/files.h"
#include "tiny.h"
#include "tiny_vocab.h"

namespace expunge::verify {
namespace {

namespace fs = std::filesystem;
using base::Code;
using base::Json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class EvaluationFile : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "expunge-evaluation-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { fs::remove_all(folder_); }

  static const model::ChatModel& chat_model(uint64_t seed) {
    static std::map<uint64_t, model::ChatModel> made;
    if (!made.contains(seed)) {
      model::Arch c = tests::tiny_arch();
      c.vocab_size = 272;
      const tests::ByteVocab bytes;
      made.emplace(seed,
                   model::ChatModel{
                       "", model::Model::from_weights(c, tests::random_weights(c, seed)).value(),
                       text::Tokenizer::from_gguf(bytes.vocab).value(),
                       text::ChatTemplate::compile("", "", "").value()});
    }
    return made.at(seed);
  }

  // Of each text its length, one after the other.
  Work work(std::vector<std::string> texts) {
    Work w;
    w.suite = "lengths";
    w.settings = {{"unit", unit_}};
    for (size_t i = 0; i < texts.size(); ++i) w.items["set"][std::to_string(i)] = hash_of(texts[i]);
    w.run = [this, texts](const model::ChatModel&, const Json& done, const Keep<Json>& keep,
                          tensor::ProcessGroup*,
                          const base::Job& job) -> base::Result<Outcome<Json>> {
      Json records = done;
      int64_t total = 0;
      for (size_t i = 0; i < texts.size(); ++i) {
        TRY(job.check());
        Json& record = records["set"][std::to_string(i)];
        if (record.is_null()) {
          record = {{"length", texts[i].size()}};
          computed_.push_back(texts[i]);
          if (keep) TRY(keep(records));
          if (texts[i] == cancel_after_) job.cancel();
        }
        total += record["length"].get<int64_t>();
      }
      return Outcome<Json>{records, {{}, {{"total", total}}}, {{"set", 9, "f", "long"}}};
    };
    return w;
  }
  base::Result<Json> run(std::vector<std::string> texts, uint64_t model = 1) {
    computed_.clear();
    const auto e = run_evaluation(chat_model(model), {"tiny", 3, file()}, work(std::move(texts)));
    if (!e) return tl::unexpected<base::Error>(e.error());
    return to_json(*e);
  }
  std::string file() const { return (folder_ / "evaluation.json").string(); }

  fs::path folder_;
  std::string unit_ = "bytes", cancel_after_ = "-";
  std::vector<std::string> computed_;
};

TEST_F(EvaluationFile, AnInterruptedRunGoesOn) {
  cancel_after_ = "bb";
  EXPECT_EQ(run({"a", "bb", "ccc"}).error().code, Code::kCancelled);
  const Json there = base::read_json(file()).value();
  EXPECT_EQ(there["records"]["set"].size(), 2);
  EXPECT_FALSE(there.contains("summary"));
  cancel_after_ = "-";
  const Json whole = run({"a", "bb", "ccc"}).value();
  EXPECT_THAT(computed_, ElementsAre("ccc"));
  EXPECT_EQ(whole["summary"]["total"], 6);
  EXPECT_EQ(whole["entry"], 3);
  EXPECT_EQ(whole["suite"], "lengths");
  EXPECT_EQ(whole["absent"], Json::object());
  EXPECT_EQ(whole["skipped"][0]["row"], 9);
  EXPECT_TRUE(whole["seconds"].contains("total"));
  EXPECT_FALSE(whole.contains("items"));
  EXPECT_EQ(run({"a", "bb", "ccc"}).value()["summary"], whole["summary"]);
  EXPECT_THAT(computed_, IsEmpty());
}

TEST_F(EvaluationFile, ARunMayGrow) {
  ASSERT_TRUE(run({"a", "bb"}));
  const auto grown = run({"a", "bb", "ccc", "dddd"});
  ASSERT_TRUE(grown) << grown.error().message;
  EXPECT_THAT(computed_, ElementsAre("ccc", "dddd"));
  EXPECT_EQ((*grown)["summary"]["total"], 10);
}

TEST_F(EvaluationFile, OtherItemsModelsOrSettingsAreRefused) {
  ASSERT_TRUE(run({"a", "bb"}));
  const std::string before = base::read_file(file()).value();
  const auto refusal = [&](std::vector<std::string> texts, uint64_t model = 1) {
    const auto refused = run(std::move(texts), model);
    EXPECT_FALSE(refused);
    EXPECT_THAT(computed_, IsEmpty());
    EXPECT_EQ(base::read_file(file()).value(), before);
    return refused ? base::Error() : refused.error();
  };
  EXPECT_EQ(refusal({"a"}).code, Code::kConflict);  // fewer
  EXPECT_THAT(refusal({"a", "other", "ccc"}).message, HasSubstr("other items"));
  EXPECT_THAT(refusal({"a", "bb"}, 2).message, HasSubstr("another model"));
  unit_ = "words";
  EXPECT_THAT(refusal({"a", "bb"}).message, HasSubstr("other settings"));
}

TEST_F(EvaluationFile, FilesOfOtherShapeAreRefused) {
  for (const char* text : {"[]", "3", "{}", R"({"settings": [], "records": {"set": {}}})"}) {
    ASSERT_TRUE(base::write_file_atomic(file(), text));
    EXPECT_EQ(run({"a"}).error().code, Code::kConflict) << text;
  }
  ASSERT_TRUE(run({"b"}).error().code == Code::kConflict);
  fs::remove(file());
  ASSERT_TRUE(run({"a"}));
  Json json = base::read_json(file()).value();
  for (const char* part : {"items", "records"})
    for (const Json& odd : {Json(3), Json::array({1}), Json{{"set", 3}}, Json{{"set", {{"0", 3}}}},
                            Json{{"x", {{"0", 3}}}}}) {
      if (part == std::string("records") && odd == Json{{"set", {{"0", 3}}}}) continue;
      Json broken = json;
      broken[part] = odd;
      ASSERT_TRUE(base::write_file_atomic(file(), base::dump_json(broken)));
      EXPECT_EQ(run({"a"}).error().code, Code::kConflict) << part << odd;
    }
}

TEST_F(EvaluationFile, AHashMayStandForABranch) {
  Work w = work({"a", "bb"});
  w.items["set"] = hash_of("a, bb");
  ASSERT_TRUE(run_evaluation(chat_model(1), {"tiny", {}, file()}, w));
  computed_.clear();
  ASSERT_TRUE(run_evaluation(chat_model(1), {"tiny", {}, file()}, w));
  EXPECT_THAT(computed_, IsEmpty());
  w.items["set"] = hash_of("a, cc");
  EXPECT_EQ(run_evaluation(chat_model(1), {"tiny", {}, file()}, w).error().code, Code::kConflict);
}

}  // namespace
}  // namespace expunge::verify
