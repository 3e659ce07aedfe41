// Journal and weights read again, on a tiny model.
#include "service/replay.h"

#include "service/json.h"
#include "service/service_test.h"

namespace expunge::service {
namespace {

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

}  // namespace
}  // namespace expunge::service
