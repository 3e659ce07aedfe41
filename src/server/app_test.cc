// Routes without sockets: what each answers, and to whom.
#include "server/app_test.h"

#include <random>

#include "server/openapi.h"
#include "server/page.h"
#include "service/service_test.h"

namespace expunge::server {
namespace {

using service::Scope;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class AppTest : public service::ServiceTest {
 protected:
  void SetUp() override {
    ServiceTest::SetUp();
    std::filesystem::remove(keys_path());
    session_ = open();
    reader_ = service::IntentReader::make("", *session_).value();
    start();
  }
  void TearDown() override { app_.reset(); }
  void start(bool is_loopback = true) {
    app_.reset();
    app_ = std::make_unique<App>(*session_, *reader_, service::Keys::open(keys_path()).value(),
                                 AppOptions{.is_loopback = is_loopback, .hosts = {"box.lan"}});
  }
  static std::string keys_path() { return (folder_ / "keys.json").string(); }
  static std::string key(Scope scope) {
    return service::Keys::open(keys_path()).value().create(scope, "").value().secret;
  }

  std::unique_ptr<service::Session> session_;
  std::optional<service::IntentReader> reader_;
  std::unique_ptr<App> app_;
};

TEST_F(AppTest, AMessageIsAnsweredWholeOrInPieces) {
  const Answered whole = post(*app_, "/v1/chat/completions", chat("Hello"));
  ASSERT_EQ(whole.status, 200) << whole.json;
  const std::string text = whole.json["choices"][0]["message"]["content"];
  EXPECT_FALSE(text.empty());
  EXPECT_FALSE(whole.json.contains("expunge"));

  Json body = chat("Hello");
  body["stream"] = true;
  body["stream_options"] = {{"include_usage", true}};
  const auto sent = std::make_shared<Sent>();
  app_->handle(request("POST", "/v1/chat/completions", base::dump_json(body)), sent);
  const std::string stream = sent->stream();
  EXPECT_TRUE(stream.ends_with("data: [DONE]\n\n"));
  std::string pieces;
  for (const Json& e : data_of(stream))
    if (!e["choices"].empty()) pieces += e["choices"][0]["delta"].value("content", "");
  EXPECT_EQ(pieces, text);
  EXPECT_EQ(data_of(stream).back()["usage"], whole.json["usage"]);
}

TEST_F(AppTest, ATextGoesOnWithItsScores) {
  const Answered a = post(*app_, "/v1/completions",
                          {{"prompt", {"ab", "cd"}},
                           {"n", 2},
                           {"max_tokens", 3},
                           {"echo", true},
                           {"logprobs", 1},
                           {"temperature", 1},
                           {"seed", 5}});
  ASSERT_EQ(a.status, 200) << a.json;
  ASSERT_EQ(a.json["choices"].size(), 4u);
  for (size_t i = 0; i < 4; ++i) {
    const Json& choice = a.json["choices"][i];
    EXPECT_EQ(choice["index"], i);
    EXPECT_THAT(choice["text"].get<std::string>(), testing::StartsWith(i < 2 ? "ab" : "cd"));
    EXPECT_EQ(choice["logprobs"]["tokens"].size(), choice["logprobs"]["token_logprobs"].size());
  }
  EXPECT_NE(a.json["choices"][0]["text"], a.json["choices"][1]["text"]);  // another seed
}

TEST_F(AppTest, RepliesToOnePromptComputeItOnce) {
  std::string words;
  for (int i = 0; i < 20; ++i) words += "hello ";
  Json body = {{"prompt", words}, {"max_tokens", 6}, {"temperature", 1}, {"seed", 40}};
  body["n"] = 3;
  const uint64_t before = app_->decoder().totals().reused_tokens;
  const Answered a = post(*app_, "/v1/completions", body);
  ASSERT_EQ(a.status, 200) << a.json;
  const uint64_t n_prompt = a.json["usage"]["prompt_tokens"];
  EXPECT_GE(n_prompt, 64u);
  EXPECT_EQ(app_->decoder().totals().reused_tokens - before, 3 * (n_prompt - 1));
  body["n"] = 1;
  for (size_t i = 0; i < 3; ++i) {
    body["seed"] = 40 + i;
    EXPECT_EQ(a.json["choices"][i]["text"],
              post(*app_, "/v1/completions", body).json["choices"][0]["text"]);
  }
}

TEST_F(AppTest, ARequestToForgetIsAnsweredWithAPlanAndNothingChanges) {
  const Answered a = post(*app_, "/v1/chat/completions",
                          chat("Please forget that the capital of France is Paris."));
  ASSERT_EQ(a.status, 200) << a.json;
  const std::string words = a.json["choices"][0]["message"]["content"];
  EXPECT_THAT(words, HasSubstr("What is the capital of France? Paris"));
  EXPECT_EQ(a.json["expunge"]["intent"], "forget");
  const Json& proposal = a.json["expunge"]["proposal"];
  EXPECT_EQ(proposal["plan"]["targets"][0]["response"], "Paris");
  EXPECT_EQ(session_->snapshot()->head, 0);

  // A no to these words closes it; a yes to it finds nothing open.
  Json body = chat("x");
  body["messages"].push_back({{"role", "assistant"}, {"content", words}});
  body["messages"].push_back({{"role", "user"}, {"content", "No, thanks."}});
  EXPECT_EQ(post(*app_, "/v1/chat/completions", body).json["choices"][0]["message"]["content"],
            "All right, nothing was changed.");
  EXPECT_EQ(post(*app_, "/v1/expunge/requests", {{"proposal", proposal["id"]}}).status, 404);
  EXPECT_EQ(session_->snapshot()->head, 0);
}

TEST_F(AppTest, WhatNobodyMayForgetIsRefused) {
  EXPECT_EQ(post(*app_, "/v1/chat/completions", chat("Please forget everything you know.")).status,
            403);
}

TEST_F(AppTest, TheLedgerIsShownUndoneAndSealed) {
  add_entry(*session_, "What is the capital of France?", "Paris");
  add_entry(*session_, "Who wrote Emma?", "Austen");
  Answered a = call(*app_, request("GET", "/v1/expunge/entries"));
  EXPECT_EQ(a.json["active"], Json::array({1, 2}));
  EXPECT_THAT(a.json["entries"][0]["title"].get<std::string>(), HasSubstr("France"));
  a = call(*app_, request("GET", "/v1/expunge/entries/1"));
  EXPECT_EQ(a.json["plan"]["targets"][0]["response"], "Paris");
  EXPECT_EQ(post(*app_, "/v1/expunge/entries/2/seal", Json::object()).status, 200);
  EXPECT_EQ(call(*app_, request("GET", "/v1/expunge/entries/2")).json["plan"], Json());
  a = post(*app_, "/v1/expunge/entries/1/undo", Json::object());
  EXPECT_EQ(a.json["undone"], 1);
  EXPECT_EQ(call(*app_, request("GET", "/v1/expunge/entries")).json["active"], Json::array({2}));
  for (const char* bad :
       {"/v1/expunge/entries/9", "/v1/expunge/entries/x", "/v1/expunge/entries/-1"})
    EXPECT_EQ(call(*app_, request("GET", bad)).status, 404) << bad;
}

TEST_F(AppTest, ARequestChoosesWhichEditsHold) {
  add_entry(*session_, "What is the capital of France?", "Paris");
  Json body = {{"prompt", "abc"}, {"max_tokens", 1}, {"echo", true}, {"logprobs", 0}};
  const Json edited = post(*app_, "/v1/completions", body).json["choices"][0]["logprobs"];
  body["expunge_entries"] = Json::array({1});
  EXPECT_EQ(post(*app_, "/v1/completions", body).json["choices"][0]["logprobs"], edited);
  body["expunge_entries"] = "none";
  EXPECT_NE(post(*app_, "/v1/completions", body).json["choices"][0]["logprobs"], edited);
  body["expunge_entries"] = Json::array({7});
  EXPECT_EQ(post(*app_, "/v1/completions", body).status, 404);
}

TEST_F(AppTest, WithoutKeysEverybodyHereMayAndWithKeysOnlyTheirScope) {
  EXPECT_EQ(call(*app_, request("GET", "/v1/expunge/entries")).status, 200);
  const std::string chat_key = key(Scope::kChat), forget_key = key(Scope::kForget);
  EXPECT_EQ(call(*app_, request("GET", "/v1/models")).status, 401);
  EXPECT_EQ(call(*app_, request("GET", "/v1/models", "", "xp-wrong")).status, 401);
  EXPECT_EQ(call(*app_, request("GET", "/v1/models", "", chat_key)).status, 200);
  EXPECT_EQ(call(*app_, request("GET", "/v1/expunge/entries", "", chat_key)).status, 403);
  EXPECT_EQ(call(*app_, request("GET", "/v1/expunge/entries", "", forget_key)).status, 200);
  EXPECT_EQ(call(*app_, request("POST", "/v1/expunge/export", "{}", forget_key)).status, 403);
  EXPECT_EQ(call(*app_, request("GET", "/health")).status, 200);

  // The words of a chat change nothing with a key that may only talk, whatever they claim.
  Json body = chat("Please forget that the capital of France is Paris.");
  body["expunge"] = {{"yes", true}};
  const Answered a =
      call(*app_, request("POST", "/v1/chat/completions", base::dump_json(body), chat_key));
  EXPECT_THAT(a.json["choices"][0]["message"]["content"].get<std::string>(), HasSubstr("'forget'"));
  EXPECT_EQ(a.json["expunge"]["proposal"], Json());
  EXPECT_EQ(session_->snapshot()->head, 0);
}

TEST_F(AppTest, BeyondThisMachineNothingIsOpenWithoutAKey) {
  start(false);
  EXPECT_EQ(call(*app_, request("GET", "/v1/models")).status, 401);
}

TEST_F(AppTest, PagesOfOtherOriginsAreRefused) {
  HttpRequest rebound = request("GET", "/health");
  rebound.headers["host"] = "evil.example";
  EXPECT_EQ(call(*app_, rebound).status, 403);
  for (const char* host : {"127.0.0.1:8080", "localhost", "[::1]:8080", "box.lan:80"}) {
    rebound.headers["host"] = host;
    EXPECT_EQ(call(*app_, rebound).status, 200) << host;
  }
  HttpRequest foreign = request("POST", "/v1/expunge/plans", "{}");
  for (const char* origin : {"http://evil.example", "null", "http://localhost:9999"}) {
    foreign.headers["origin"] = origin;
    EXPECT_EQ(call(*app_, foreign).status, 403) << origin;
  }
  foreign.headers["origin"] = "http://localhost:8080";
  EXPECT_EQ(call(*app_, foreign).status, 400);  // its own page; the body lacks the words
}

TEST_F(AppTest, ErrorsHaveOneShape) {
  const std::vector<std::pair<HttpRequest, int>> bad = {
      {request("GET", "/nowhere"), 404},
      {request("GET", "/v1/models/other"), 404},
      {request("DELETE", "/v1/models"), 405},
      {request("OPTIONS", "/v1/chat/completions"), 405},
      {request("POST", "/v1/chat/completions", "{"), 400},
      {request("POST", "/v1/chat/completions", "[1]"), 400},
      {request("POST", "/v1/chat/completions", ""), 400},
      {request("POST", "/v1/completions", R"({"prompt": [999999]})"), 400},
      {request("POST", "/v1/completions", R"({"prompt": "a", "model": "other"})"), 404},
      {request("POST", "/v1/expunge/plans", R"({"targets": [{}]})"), 400},
      {request("POST", "/v1/expunge/plans", R"({"words": "x", "method": "magic"})"), 400},
      {request("POST", "/v1/expunge/requests", R"({"plan": {}})"), 400},
      {request("POST", "/v1/expunge/requests", "{}"), 400},
      {request("DELETE", "/v1/expunge/proposals/p-1"), 404},
      {request("POST", "/v1/expunge/export", R"({"out": "../x"})"), 400},
      {request("POST", "/v1/expunge/entries/1/undo", "{}"), 404}};
  for (const auto& [r, status] : bad) {
    const Answered a = call(*app_, r);
    EXPECT_EQ(a.status, status) << r.path << " " << r.body << " " << a.json;
    for (const char* field : {"message", "type", "code", "hint"})
      EXPECT_TRUE(a.json["error"].contains(field)) << r.path << " " << a.json;
  }
}

TEST_F(AppTest, OddBodiesAreAnsweredAndNeverEndTheServer) {
  const std::string seeds[] = {
      R"({"messages":[{"role":"user","content":"Hello"}],"max_tokens":1,"stop":["a"],"n":1})",
      R"({"prompt":[1,2],"max_tokens":1,"echo":true,"logprobs":2,"expunge_entries":"none"})",
      R"({"targets":[{"prompt":"Q","response":"A"}],"knobs":{"rank":2}})"};
  const char* paths[] = {"/v1/chat/completions", "/v1/completions", "/v1/expunge/plans",
                         "/tokenize"};
  std::mt19937_64 rng(1);
  for (int i = 0; i < 10000; ++i) {
    std::string body = seeds[rng() % 3];
    for (uint64_t n = rng() % 4; n > 0; --n) {
      const size_t at = rng() % body.size();
      switch (rng() % 4) {
        case 0:
          body[at] = static_cast<char>(rng() % 256);
          break;
        case 1:
          body.erase(at, rng() % 5);
          break;
        case 2:
          body.insert(at, body.substr(rng() % body.size(), rng() % 9));
          break;
        default:
          body.insert(at, std::string(rng() % 3, '['));
      }
      if (body.empty()) body = "{";
    }
    const Answered a = call(*app_, request("POST", paths[rng() % 4], body));
    EXPECT_TRUE(a.status == 200 || (a.status >= 400 && a.status < 500)) << a.status << " " << body;
    EXPECT_EQ(a.json.contains("error"), a.status != 200) << body;
  }
}

TEST_F(AppTest, ListenersHearOfChanges) {
  const auto sent = std::make_shared<Sent>();
  app_->handle(request("GET", "/v1/expunge/events"), sent);
  EXPECT_THAT(sent->stream("\n\n"), HasSubstr(R"(event: changed
data: {"head":0,"active":[]})"));
  add_entry(*session_, "What is the capital of France?", "Paris");
  EXPECT_THAT(sent->stream("[1]}"), HasSubstr(R"({"head":1,"active":[1]})"));
  app_.reset();
  EXPECT_THAT(sent->stream(), HasSubstr("changed"));  // it has ended
}

TEST_F(AppTest, WhatIsKnownOfTheModelAndTheServer) {
  const Json model = call(*app_, request("GET", "/v1/expunge/model")).json;
  EXPECT_EQ(model["name"], "tiny");
  EXPECT_EQ(model["active"], 0);
  EXPECT_GT(model["memory_bytes"], 0);
  EXPECT_EQ(call(*app_, request("GET", "/v1/models/tiny")).json["id"], "tiny");
  const Json methods = call(*app_, request("GET", "/v1/expunge/methods")).json;
  EXPECT_THAT(base::dump_json(methods), HasSubstr("\"name\":\"redirect\""));
  const Answered tokens = post(*app_, "/tokenize", {{"content", "abc"}});
  EXPECT_EQ(tokens.json["count"], 3);
  const auto sent = std::make_shared<Sent>();
  app_->handle(request("GET", "/metrics"), sent);
  EXPECT_THAT(sent->response().body, HasSubstr("\nexpunge_http_requests_total 5\n"));
}

TEST_F(AppTest, TheTableIsTheDocumentation) {
  const Json api = call(*app_, request("GET", "/openapi.json")).json;
  for (const Route& route : routes()) {
    std::string path(route.path);
    if (const size_t at = path.find("{}"); at != path.npos) path.insert(at + 1, "id");
    EXPECT_TRUE(api["paths"].contains(path)) << path;
    EXPECT_FALSE(route.summary.empty());
  }
  EXPECT_EQ(api["paths"]["/v1/expunge/entries/{id}/undo"]["post"]["x-scope"], "forget");
  EXPECT_TRUE(api["paths"]["/v1/completions"]["post"]["requestBody"]["content"]["application/json"]
                 ["schema"]["properties"]
                     .contains("expunge_entries"));
}

TEST_F(AppTest, ThePageMayRunNothingFromElsewhere) {
  const auto sent = std::make_shared<Sent>();
  app_->handle(request("GET", "/"), sent);
  const HttpResponse page = sent->response();
  EXPECT_THAT(page.content_type, testing::StartsWith("text/html"));
  EXPECT_THAT(page.headers.at("Content-Security-Policy"), HasSubstr("default-src 'none'"));
  for (const PageFile& file : page_files()) {
    if (!file.path.ends_with(".js")) continue;
    EXPECT_EQ(file.bytes.find("innerHTML"), file.bytes.npos) << file.path;
    EXPECT_EQ(file.bytes.find("eval("), file.bytes.npos) << file.path;
  }
}

}  // namespace
}  // namespace expunge::server
