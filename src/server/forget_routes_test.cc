#include "server/app_test.h"
#include "service/planted_test.h"

namespace expunge::server {
namespace {

using ::testing::HasSubstr;

// On a model that knows planted facts: a whole request, with its progress.
class AppForgets : public service::PlantedTest {};

TEST_F(AppForgets, APlanIsCarriedOutAndTakenBack) {
  const auto session = open();
  const auto reader = service::IntentReader::make("", *session).value();
  App app(*session, reader, service::Keys::open(path("keys.json")).value(), {});
  const Answered planned =
      post(app, "/v1/expunge/plans",
           {{"targets", Json::array({{{"prompt", question(0, 0)}, {"response", answer(0, 0)}}})}});
  ASSERT_EQ(planned.status, 200) << planned.json;
  const Json proposal = planned.json["proposals"][0];

  HttpRequest carry =
      request("POST", "/v1/expunge/requests", base::dump_json({{"proposal", proposal["id"]}}));
  carry.headers["accept"] = "text/event-stream";
  const auto sent = std::make_shared<Sent>();
  app.handle(carry, sent);
  const std::string stream = sent->stream();
  EXPECT_THAT(stream, HasSubstr("event: progress\n"));
  ASSERT_THAT(stream, HasSubstr("event: outcome\n")) << stream;
  const Json outcome = data_of(stream).back();
  EXPECT_TRUE(outcome.contains("before") && outcome.contains("after")) << outcome;
  if (outcome["verdict"] != "passed") return;  // of a tiny model; then nothing has changed
  EXPECT_EQ(outcome["entry"], 1);
  const Answered undone = post(app, "/v1/expunge/entries/1/undo", Json::object());
  EXPECT_EQ(undone.json["is_base"], true);
}

}  // namespace
}  // namespace expunge::server
