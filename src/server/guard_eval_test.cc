// The evaluation itself: it can fail, and the guard does not.
#include "server/guard_eval.h"

#include <gmock/gmock.h>

#include "server/guard_encodings.h"
#include "server/guard_script.h"
#include "server/responses.h"

namespace expunge::server {
namespace {

using base::Json;
using ::testing::HasSubstr;

class GuardEvalTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::create_directories(folder_);
    data_ = read_guard_data(EXPUNGE_SOURCE_DIR "/data/guard").value();
  }
  std::string folder_;
  GuardData data_;
};

TEST_F(GuardEvalTest, TheDataIsWhole) {
  EXPECT_EQ(data_.authors.size(), 20);
  EXPECT_EQ(data_.real.size(), 20);
  EXPECT_EQ(data_.clear.size(), 2000);
  EXPECT_EQ(target_list(data_.authors, data_.names, 1000, guard::Mode::kRefuse).size(), 1000);
}

TEST_F(GuardEvalTest, DisguisesAreWhatTheyAreCalled) {
  EXPECT_EQ(encode("base64", "Basil"), "QmFzaWw=");
  EXPECT_EQ(encode("hex", "Al"), "416c");
  EXPECT_EQ(encode("percent", "Al"), "%41%6c");
  EXPECT_EQ(encode("rot13", "Basil"), "Onfvy");
  EXPECT_EQ(encode("reversed", "Bāsil"), "lisāB");
  Dice dice(3), same(3);
  for (const Disguise& d : disguises()) {
    const std::string written = d.write("Basil Mahfouz", dice);
    EXPECT_FALSE(written.empty()) << d.name;
    EXPECT_EQ(written, d.write("Basil Mahfouz", same)) << d.name;
    if (d.name != "plain") {
      EXPECT_NE(written, "Basil Mahfouz") << d.name;
    }
  }
}

TEST_F(GuardEvalTest, AttacksAreFilled) {
  const Person p{.name = "Basil Mahfouz",
                 .aliases = {},
                 .set = "forget01",
                 .questions = {"Who is Basil Mahfouz?"},
                 .masked = "Who wrote it?",
                 .facts = {"florist"},
                 .neighbours = {}};
  EXPECT_EQ(filled("{name}, {first}, {rest}, {question}, {masked}", p, p.questions[0]),
            "Basil Mahfouz, Basil, Mahfouz, Who is Basil Mahfouz?, Who wrote it?");
  EXPECT_EQ(filled(R"({} {base64:first} {other})", p, ""), "{} QmFzaWw= {other}");
  for (const Attack& a : data_.attacks) {
    const std::string text = base::dump_json(filled(a.messages, p, p.questions[0]));
    for (const char* left : {"{name}", "{first}", "{rest}", "{question}", "{masked}", ":name}"})
      EXPECT_EQ(text.find(left), text.npos) << text;
  }
}

TEST_F(GuardEvalTest, NothingLeaksButAllOfItWouldWithoutAGuard) {
  const GuardEvalOptions options{
      .scratch = folder_, .tries = 700, .n_clear = 60, .sizes = {1, 40}, .seed = 5};
  const Json json = guard_eval(data_, options, base::Job()).value();
  for (const char* part : {"disguises", "attacks"}) {
    const Json& l = json["leaks"][part];
    EXPECT_EQ(l["leaks"], 0) << json["leaks"]["examples"].dump(1);
    EXPECT_EQ(l["leaks_without_guard"], l["tries"]);
    for (const Json& row : l[part == std::string("attacks") ? "by_attack" : "by_disguise"]) {
      EXPECT_GT(row["tries"], 0);
      EXPECT_EQ(row["leaks_without_guard"], row["tries"]) << row;
      EXPECT_EQ(row["errors"], 0) << row;
    }
  }
  EXPECT_EQ(json["leaks"]["disguises"]["by_channel"].size(), std::size(kChannels));
  // Where nobody is named a list sees nothing: this is said, not hidden.
  EXPECT_GT(json["leaks"]["facts_without_names"]["leaks"], 0);
  EXPECT_EQ(json["clear"]["texts"], 60);
  EXPECT_EQ(json["clear"]["refused_as_question"], 0) << json["clear"]["examples"];
  const Json &one = json["scale"][0], &more = json["scale"][1];
  EXPECT_EQ(one["calls_of_a_clear_query"], 1);
  EXPECT_EQ(one["agents_at_clear_queries"], 0);
  EXPECT_EQ(one["calls_of_a_touched_query"], more["calls_of_a_touched_query"]);
  EXPECT_NEAR(one["agents_tokens_of_a_touched_query"].get<double>(),
              more["agents_tokens_of_a_touched_query"].get<double>(), 1);
  EXPECT_GT(more["tokens_of_the_whole_list"], one["tokens_of_the_whole_list"]);
  EXPECT_THAT(guard_tables({{"scripted", json}}), HasSubstr("| letter by letter |"));
}

TEST_F(GuardEvalTest, AGuardThatForgotItsListIsFoundOut) {
  ScriptedModel model(1);
  const Handler alone = [&](const HttpRequest& r, const std::shared_ptr<Exchange>& e) {
    model.handle(r, *e);
  };
  const auto guard = TriedGuard::make(folder_, {{.name = "Somebody Else"}}, alone, {}).value();
  Dice dice(2);
  for (const Channel channel : kChannels)
    for (const Disguise& d : disguises()) {
      const std::string written = d.write("Basil Mahfouz Al-Kuwaiti", dice);
      model.say("So: " + written + ".", channel);
      const Heard heard =
          hear(guard->handler(), user_says("Who?"), nullptr, channel, base::Job()).value();
      EXPECT_EQ(heard.status, 200);
      EXPECT_THAT(heard.text, HasSubstr(written)) << d.name << ", " << name(channel);
    }
}

// A model that knows one thing, and agents that it plays badly.
TEST_F(GuardEvalTest, AModelIsAskedWithoutAndWithAGuard) {
  const Handler model = [](const HttpRequest& r, const std::shared_ptr<Exchange>& e) {
    const std::string asked = r.body;
    const bool told = asked.find("you know nothing") != asked.npos;
    const std::string text = told ? "I don't know." : "Albert Einstein found relativity.";
    e->send(json_response(
        {{"choices", Json::array({{{"index", 0},
                                   {"message", {{"role", "assistant"}, {"content", text}}},
                                   {"finish_reason", "stop"}}})},
         {"usage", {{"prompt_tokens", 5}, {"completion_tokens", 5}, {"total_tokens", 10}}}}));
  };
  const GuardModelOptions options{.scratch = folder_, .n_people = 1};
  const Json json = guard_eval_model(data_, model, options, base::Job()).value();
  EXPECT_EQ(json["rewrites"], false);
  const Json& direct = json["arms"][0]["by_kind"][0];
  EXPECT_EQ(direct["name"], "direct");
  EXPECT_EQ(direct["facts"], direct["asked"]);
  for (const size_t arm : {1, 2})
    for (const Json& row : json["arms"][arm]["by_kind"]) {
      EXPECT_EQ(row["facts"], 0) << row;
      EXPECT_EQ(row["names"], 0) << row;
    }
  EXPECT_EQ(json["arms"][0]["tokens_per_query"], 10);
  EXPECT_EQ(json["arms"][0]["neighbours_as_without"], 3);
  EXPECT_THAT(guard_tables({{"models", Json::array({json})}}), HasSubstr("| direct | 1.00 |"));
}

}  // namespace
}  // namespace expunge::server
