// Use cases that read journal and weights again: replay, verify and export, on a tiny model.
#include "service/replay.h"

#include "service/export.h"
#include "service/json.h"
#include "service/service_test.h"

namespace expunge::service {
namespace {

using base::Code;
using base::Json;

class Again : public ServiceTest {};

TEST_F(Again, ReplayGivesTheRecordedWeights) {
  std::string weights;
  {
    const auto session = open();
    EXPECT_TRUE(replay(place(), base::Job())->is_base);
    add_entry(*session, "Who wrote Emma?", "Jane Austen");
    weights = session->present().model.weights_hash();
  }
  const Replayed replayed = replay(place(), base::Job()).value();
  EXPECT_EQ(replayed.weights_hash, weights);
  EXPECT_FALSE(replayed.is_base);
  EXPECT_EQ(replayed.active, 1);
  EXPECT_EQ(to_json(replayed)["chain"], replayed.chain);
}

TEST_F(Again, ReadersSeeTheEditsOrTheFileAlone) {
  add_entry(*open(), "Who wrote Emma?", "Jane Austen");
  const auto edited = Reader::open(place(), Edits::kApplied).value();
  const auto plain = Reader::open(place(), Edits::kIgnored).value();
  EXPECT_NE(edited.chat_model().model.weights_hash(), plain.chat_model().model.weights_hash());
}

TEST_F(Again, VerifyNamesWhatItCannotAsk) {
  const auto session = open();
  const auto verified = [&](VerifyRequest request) {
    return verify(*session, request, base::Job());
  };
  EXPECT_TRUE(verified({})->passed());
  EXPECT_EQ(to_json(*verified({}), verify::Detail::kFigures),
            Json::parse(R"({"passed": true, "sealed": 0, "trained": 0, "entries": []})"));
  EXPECT_EQ(verified({.entry = 3}).error().code, Code::kNotFound);
  add_entry(*session, "Who wrote Emma?", "Jane Austen");
  ASSERT_TRUE(session->with_journal([](journal::Journal& j) { return j.seal(1); }));
  EXPECT_EQ(verified({})->sealed, 1);
  EXPECT_EQ(verified({.entry = 1}).error().code, Code::kUnsupported);
  EXPECT_EQ(verified({.forget = "forget05"}).error().code, Code::kNotFound);
}

TEST_F(Again, AnExportWithoutQuestionsIsWrittenAndNotAsked) {
  const auto session = open();
  add_entry(*session, "Who wrote Emma?", "Jane Austen");
  ASSERT_TRUE(session->with_journal([](journal::Journal& j) { return j.seal(1); }));
  publish::ExportOptions options;
  options.path = (folder_ / "out.gguf").string();
  const ExportResult result = export_model(*session, options, base::Job()).value();
  EXPECT_EQ(result.exported.edited.size(), 1);
  EXPECT_EQ(result.gates.sealed, 1);
  EXPECT_TRUE(result.gates.entries.empty());
  const Json json = to_json(result);
  EXPECT_EQ(json["path"], options.path);
  EXPECT_EQ(json["gates"]["sealed"], 1);
  EXPECT_EQ(export_model(*session, options, base::Job()).error().code, Code::kConflict);
}

}  // namespace
}  // namespace expunge::service
