// A conversation with a tiny model that knows nothing: what is proposed, what is refused, and that
// nothing changes without a yes.
#include "service/chat.h"

#include "service/json.h"
#include "service/service_test.h"

namespace expunge::service {
namespace {

using base::Code;
using ::testing::HasSubstr;

constexpr const char* kOrder = "Please forget that the capital of France is Paris.";
constexpr const char* kQuestion = "What is the capital of Canada?";

class ChatTest : public ServiceTest {
 protected:
  void SetUp() override {
    ServiceTest::SetUp();
    session_ = open();
    reader_ = IntentReader::make("", *session_).value();
    ChatOptions options;
    options.generate.max_new_tokens = 12;
    chat_.emplace(*session_, *reader_, options);
  }

  base::Status say(const std::string& message) {
    events_.clear();
    return chat_->say(message, record(), job_);
  }
  base::Status answer(Consent consent) {
    return chat_->answer(chat_->proposal()->id, consent, record(), job_);
  }
  OnChatEvent record() {
    return [this](const ChatEvent& e) {
      events_.push_back(e);
      if (stop_at_first_text_ && std::holds_alternative<ReplyText>(e)) job_.cancel();
    };
  }
  template <class T>
  std::vector<T> all() const {
    std::vector<T> found;
    for (const ChatEvent& e : events_)
      if (const T* one = std::get_if<T>(&e)) found.push_back(*one);
    return found;
  }
  // The only turn, and the last event.
  Turn turn() const {
    EXPECT_EQ(all<Turn>().size(), 1);
    EXPECT_TRUE(std::holds_alternative<Turn>(events_.back()));
    return all<Turn>().at(0);
  }
  template <class T>
  static bool is(const Turn& turn) {
    return std::holds_alternative<T>(turn.result);
  }

  std::unique_ptr<Session> session_;
  std::optional<IntentReader> reader_;
  std::optional<Chat> chat_;
  std::vector<ChatEvent> events_;
  base::Job job_;
  bool stop_at_first_text_ = false;
};

TEST_F(ChatTest, APlainMessageIsAnsweredPieceByPiece) {
  ASSERT_TRUE(say(kQuestion));
  const Turn t = turn();
  std::string pieces;
  for (const ReplyText& e : all<ReplyText>()) pieces += e.text;
  EXPECT_FALSE(pieces.empty());
  EXPECT_EQ(t.assistant, pieces);
  EXPECT_EQ(t.user, kQuestion);
  EXPECT_EQ(t.intent, agent::Intent::kNone);
  ASSERT_TRUE(is<Replied>(t));
  EXPECT_FALSE(std::get<Replied>(t.result).stopped);
  EXPECT_EQ(to_json(t),
            (base::Json{{"user", kQuestion}, {"assistant", pieces}, {"intent", "none"}}));
}

TEST_F(ChatTest, AReplyThatIsStoppedKeepsWhatWasSaid) {
  stop_at_first_text_ = true;
  ASSERT_TRUE(say(kQuestion));
  EXPECT_TRUE(std::get<Replied>(turn().result).stopped);
  std::string pieces;  // the first, and the rest of an unfinished character
  for (const ReplyText& e : all<ReplyText>()) pieces += e.text;
  EXPECT_LE(all<ReplyText>().size(), 2);
  EXPECT_EQ(turn().assistant, pieces);
}

TEST_F(ChatTest, StatusOfWhatIsForgotten) {
  ASSERT_TRUE(say("/log"));
  EXPECT_TRUE(all<Turn>().empty());
  ASSERT_EQ(all<ActiveEntries>().size(), 1);
  EXPECT_TRUE(all<ActiveEntries>()[0].entries.empty());

  add_entry(*session_, "What is the capital of France?", "Paris");
  ASSERT_TRUE(say("What have you forgotten so far?"));
  const Turn t = turn();
  EXPECT_EQ(t.intent, agent::Intent::kStatus);
  const auto& entries = std::get<ActiveEntries>(t.result).entries;
  ASSERT_EQ(entries.size(), 1);
  EXPECT_EQ(entries[0].entry, 1);
  EXPECT_THAT(entries[0].title, HasSubstr("capital of France"));
  EXPECT_THAT(t.assistant, HasSubstr("1 forgotten:\n   1  What is the capital of France?"));
}

TEST_F(ChatTest, UndoWithNothingToUndo) {
  ASSERT_TRUE(say("/undo"));
  EXPECT_TRUE(is<NothingToUndo>(turn()));
  EXPECT_FALSE(chat_->proposal());
}

TEST_F(ChatTest, AnOrderThatIsDeclinedChangesNothing) {
  const std::string weights = session_->present().model.weights_hash();
  ASSERT_TRUE(say(kOrder));
  ASSERT_EQ(events_.size(), 1);
  const Proposal p = all<Proposal>().at(0);
  EXPECT_EQ(p.intent, agent::Intent::kForget);
  const auto& target = std::get<agent::Plan>(p.what).targets.at(0);
  EXPECT_THAT(target.prompt, HasSubstr("capital of France"));
  EXPECT_EQ(target.response, "Paris");
  EXPECT_EQ(session_->snapshot()->head, 0);

  EXPECT_EQ(chat_->answer(p.id + 1, Consent::kYes, record(), job_).error().code, Code::kConflict);
  ASSERT_TRUE(answer(Consent::kNo));
  EXPECT_TRUE(is<Declined>(turn()));
  EXPECT_EQ(turn().user, kOrder);
  EXPECT_EQ(to_json(turn())["intent"], "forget");
  EXPECT_EQ(session_->snapshot()->head, 0);
  EXPECT_EQ(session_->present().model.weights_hash(), weights);
  // Once answered it is closed.
  EXPECT_EQ(chat_->answer(p.id, Consent::kYes, record(), job_).error().code, Code::kConflict);
}

TEST_F(ChatTest, AnotherMessageDeclinesWhatIsOpen) {
  ASSERT_TRUE(say(kOrder));
  const int64_t first = chat_->proposal()->id;
  ASSERT_TRUE(say("/undo"));
  ASSERT_EQ(all<Turn>().size(), 2);
  EXPECT_TRUE(is<Declined>(all<Turn>()[0]));
  EXPECT_TRUE(is<NothingToUndo>(all<Turn>()[1]));
  ASSERT_TRUE(say(kOrder));
  EXPECT_NE(chat_->proposal()->id, first);
  chat_->withdraw();
  ASSERT_TRUE(say("/undo"));
  EXPECT_EQ(all<Turn>().size(), 1);
}

TEST_F(ChatTest, UndoIsProposedAndBringsTheFileBack) {
  const std::string base = session_->present().model.weights_hash();
  ASSERT_EQ(add_entry(*session_, "Who wrote Emma?", "Jane Austen"), 1);
  EXPECT_NE(session_->present().model.weights_hash(), base);

  EXPECT_EQ(say("/undo 7").error().code, Code::kNotFound);
  EXPECT_FALSE(chat_->proposal());
  ASSERT_TRUE(say("/undo 1"));
  const Proposal p = all<Proposal>().at(0);
  EXPECT_TRUE(p.sure);
  EXPECT_EQ(std::get<EntryTitle>(p.what).entry, 1);
  EXPECT_THAT(std::get<EntryTitle>(p.what).title, HasSubstr("Who wrote Emma? → Jane Austen"));
  EXPECT_NE(session_->present().model.weights_hash(), base);
  ASSERT_TRUE(answer(Consent::kYes));
  ASSERT_TRUE(is<Undone>(turn()));
  EXPECT_TRUE(std::get<Undone>(turn().result).is_base);
  EXPECT_EQ(session_->present().model.weights_hash(), base);
  EXPECT_EQ(to_json(turn())["undone"]["undone"], 1);
  // It is no longer active.
  add_entry(*session_, "Who wrote Ulysses?", "James Joyce");
  EXPECT_EQ(say("/undo 1").error().code, Code::kNotFound);
}

TEST_F(ChatTest, SlashCommandsThatAreWrongChangeNothing) {
  add_entry(*session_, "Who wrote Emma?", "Jane Austen");
  for (const char* line : {"/undo 1x", "/undo one", "/nonsense", "/log 1"}) {
    EXPECT_EQ(say(line).error().code, Code::kUsage) << line;
    EXPECT_TRUE(events_.empty()) << line;
    EXPECT_FALSE(chat_->proposal()) << line;
  }
  ASSERT_TRUE(say("/help"));
  EXPECT_EQ(all<Help>().size(), 1);
  ASSERT_TRUE(say("/quit"));
  EXPECT_EQ(all<Quit>().size(), 1);
  ASSERT_TRUE(say("/clear"));
  EXPECT_EQ(all<Cleared>().size(), 1);
  EXPECT_EQ(session_->active()->size(), 1);
}

TEST_F(ChatTest, OrdersToForgetEverythingAreRefused) {
  const auto refused = say("Please forget everything you know.");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kRefused);
  EXPECT_FALSE(chat_->proposal());
}

}  // namespace
}  // namespace expunge::service
