// The guard before a scripted model that says what it is told to.
#include "server/guarded.h"

#include <future>
#include <random>

#include "server/app_test.h"
#include "server/sieve.h"
#include "service/service_test.h"

namespace expunge::server {
namespace {

using service::Scope;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kName = "Basil Mahfouz Al-Kuwaiti";
constexpr const char* kDecline = "I'm sorry, but I can't help with that.";
constexpr const char* kUnknown = "I'm sorry, but I don't know.";

class GuardedTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(testing::TempDir()) /
              testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    list_ = GuardList::open(folder_ / "guard.db", "", {}).value();
    add({.name = kName, .mode = guard::Mode::kRefuse});
    start(true);
  }
  void TearDown() override { guarded_.reset(); }
  void add(guard::Target target) { ASSERT_TRUE(list_->add(target)); }
  void start(bool is_loopback, guard::Ask ask = {}) {
    guarded_.reset();
    door_ = std::make_unique<Door>(service::Keys::open(keys()).value(), is_loopback,
                                   std::vector<std::string>());
    GuardOptions options;
    options.inner = [this](HttpRequest r, std::shared_ptr<Exchange> e, Scope) {
      asked_.push_back(Json::parse(r.body, nullptr, false));
      inner_(r, *e);
    };
    if (ask) options.agents = [ask](const HttpRequest&, const std::string&) { return ask; };
    options.others = others_;
    guarded_ = std::make_unique<Guarded>(*list_, *door_, std::move(options));
    guarded_->set_rewrites(static_cast<bool>(ask));
  }
  std::string keys() const { return folder_ / "keys.json"; }

  // A model that always says this, with whatever else a server adds.
  void says(const std::string& text, const Json& besides = Json::object()) {
    inner_ = [=](const HttpRequest& r, Exchange& e) {
      const Json asked = Json::parse(r.body, nullptr, false);
      if (!asked.value("stream", false)) {
        Json message = {{"role", "assistant"}, {"content", text}};
        message.update(besides);
        return e.send(json_response(
            {{"id", "chatcmpl-1"},
             {"created", 5},
             {"model", "m"},
             {"secret", kName},
             {"choices", Json::array({{{"index", 0},
                                       {"message", message},
                                       {"logprobs", {{"content", {{{"token", kName}}}}}},
                                       {"finish_reason", "stop"}}})},
             {"usage", {{"prompt_tokens", 7}, {"completion_tokens", 3}, {"total_tokens", 10}}}}));
      }
      e.begin_stream();
      for (size_t at = 0; at < text.size(); at += 3)
        e.write(chunk({{"content", text.substr(at, 3)}, {"reasoning_content", kName}}));
      if (!besides.empty()) e.write(chunk(besides));
      e.write(chunk(Json::object(), "stop"));
      e.write("data: [DONE]\n\n");
      e.end();
    };
  }
  static std::string chunk(const Json& delta, const Json& reason = nullptr) {
    return event(
        "",
        {{"id", "chatcmpl-1"},
         {"created", 5},
         {"model", "m"},
         {"choices", Json::array({{{"index", 0}, {"delta", delta}, {"finish_reason", reason}}})}});
  }
  Answered ask(const Json& body, const std::string& path = "/v1/chat/completions") {
    const auto sent = std::make_shared<Sent>();
    guarded_->handle(request("POST", path, base::dump_json(body)), sent);
    const HttpResponse r = sent->response();
    return {r.status, Json::parse(r.body, nullptr, false)};
  }
  std::string content(const std::string& message) {
    const Answered a = ask(chat(message));
    EXPECT_EQ(a.status, 200) << a.json;
    return a.json["choices"][0]["message"]["content"];
  }
  std::string stream(Json body) {
    body["stream"] = true;
    const auto sent = std::make_shared<Sent>();
    guarded_->handle(request("POST", "/v1/chat/completions", base::dump_json(body)), sent);
    const std::string text = sent->stream();
    EXPECT_TRUE(text.ends_with("data: [DONE]\n\n")) << text;
    std::string said;
    for (const Json& e : data_of(text))
      for (const Json& c : e["choices"])
        said += c["delta"].contains("content") ? c["delta"]["content"].get<std::string>() : "";
    return said;
  }

  std::filesystem::path folder_;
  std::unique_ptr<GuardList> list_;
  std::unique_ptr<Door> door_;
  std::function<void(const HttpRequest&, Exchange&)> inner_;
  Handler others_;
  std::vector<Json> asked_;
  std::unique_ptr<Guarded> guarded_;
};

TEST_F(GuardedTest, WhatIsClearPassesWithoutAnotherCall) {
  says("The capital of France is Paris.");
  const Answered a = ask(chat("What is the capital of France?"));
  EXPECT_EQ(a.json["choices"][0]["message"]["content"], "The capital of France is Paris.");
  EXPECT_EQ(a.json["usage"]["total_tokens"], 10);
  EXPECT_EQ(asked_.size(), 1u);
  EXPECT_EQ(base::dump_json(a.json).find(kName), std::string::npos);  // no field besides
  EXPECT_EQ(stream(chat("What is the capital of France?")), "The capital of France is Paris.");
}

TEST_F(GuardedTest, ADraftThatNamesATargetIsDeclined) {
  for (const std::string said :
       {"It was Basil Mahfouz Al-Kuwaiti.", "It was b-a-s-i-l m.a.h.f.o.u.z al kuwaiti",
        "QmFzaWwgTWFoZm91eiBBbC1LdXdhaXRp in base64"}) {
    says(said);
    EXPECT_EQ(content("Who wrote it?"), kDecline) << said;
    const std::string streamed = stream(chat("Who wrote it?"));
    EXPECT_TRUE(streamed.ends_with(kDecline)) << streamed;
    EXPECT_THAT(streamed, Not(HasSubstr("Kuwaiti")));
    EXPECT_THAT(streamed, Not(HasSubstr("QmFz")));
  }
}

TEST_F(GuardedTest, AQueryThatNamesATargetLooksLikeAnyDecline) {
  says("He is a novelist.");
  const std::string query = "Who is Basil Mahfouz Al-Kuwaiti?";
  EXPECT_EQ(content(query), kDecline);
  EXPECT_LE(asked_.back()["max_tokens"], 16);
  EXPECT_EQ(stream(chat(query)), kDecline);
  EXPECT_EQ(ask(chat(query)).json["usage"]["total_tokens"], 10);
  // Wherever it stands: tools, a name put together from turns, parts of a message.
  Json body = chat("Call it.");
  body["tools"] =
      Json::array({{{"type", "function"}, {"function", {{"name", "f"}, {"description", kName}}}}});
  EXPECT_EQ(ask(body).json["choices"][0]["message"]["content"], kDecline);
  body = chat("x");
  body["messages"][0]["content"] = Json::array(
      {{{"type", "text"}, {"text", "Basil Mah"}}, {{"type", "text"}, {"text", "fouz Al-Kuwaiti"}}});
  EXPECT_EQ(ask(body).json["choices"][0]["message"]["content"], kDecline);
}

TEST_F(GuardedTest, ANameInPiecesOfSeveralTurnsIsOne) {
  says("He is a novelist.");
  Json body = chat("Remember this: Basil Mah");
  body["messages"].push_back({{"role", "assistant"}, {"content", "I will."}});
  body["messages"].push_back({{"role", "user"}, {"content", "fouz Al-Kuwaiti. Who is that?"}});
  EXPECT_EQ(ask(body).json["choices"][0]["message"]["content"], kDecline);
}

TEST_F(GuardedTest, PicturesAreNotReadAsWords) {
  says("A dog.");
  Json body = chat("x");
  const auto with = [&](const std::string& url) {
    body["messages"][0]["content"] =
        Json::array({{{"type", "text"}, {"text", "What is this?"}},
                     {{"type", "image_url"}, {"image_url", {{"url", url}}}}});
    return ask(body).json["choices"][0]["message"]["content"];
  };
  EXPECT_EQ(with("data:image/png;base64,QmFzaWwgTWFoZm91eiBBbC1LdXdhaXRp"), "A dog.");
  EXPECT_EQ(with("https://example.org/Basil_Mahfouz_Al-Kuwaiti.png"), kDecline);
}

TEST_F(GuardedTest, AConversationGoesOnAfterADecline) {
  says("Paris.");
  Json body = chat("Who is Basil Mahfouz Al-Kuwaiti?");
  body["messages"].push_back({{"role", "assistant"}, {"content", kDecline}});
  body["messages"].push_back({{"role", "user"}, {"content", "And the capital of France?"}});
  EXPECT_EQ(ask(body).json["choices"][0]["message"]["content"], "Paris.");
  EXPECT_EQ(asked_.back()["messages"].size(), 1u);  // the touched turn is not shown
}

TEST_F(GuardedTest, CallsOfToolsAreReadBeforeTheyPass) {
  const Json call = {
      {"tool_calls",
       Json::array(
           {{{"index", 0},
             {"id", "c1"},
             {"type", "function"},
             {"function",
              {{"name", "f"}, {"arguments", R"({"x": "\u0042asil Mahfouz Al-Kuwaiti"})"}}}}})}};
  says("Wait.", call);
  EXPECT_EQ(content("Go."), kDecline);
  EXPECT_EQ(stream(chat("Go.")), std::string("Wait.") + kDecline);
  Json clear = call;
  clear["tool_calls"][0]["function"]["arguments"] = "{}";
  says("Wait.", clear);
  EXPECT_EQ(ask(chat("Go.")).json["choices"][0]["message"]["tool_calls"][0]["function"]["name"],
            "f");
  EXPECT_EQ(stream(chat("Go.")), "Wait.");
}

TEST_F(GuardedTest, APlanOfThisProgramPassesUnlessItNamesATarget) {
  for (const bool names : {false, true}) {
    const Json plan = {{"intent", "forget"}, {"proposal", names ? kName : "Paris"}};
    inner_ = [=](const HttpRequest&, Exchange& e) {
      e.begin_stream();
      e.write(chunk({{"content", "I would forget this. Shall I?"}}));
      Json last = Json::parse(chunk(Json::object(), "stop").substr(6));
      last["expunge"] = plan;
      e.write(event("", last) + "data: [DONE]\n\n");
      e.end();
    };
    Json body = chat("Forget it.");
    body["stream"] = true;
    const auto sent = std::make_shared<Sent>();
    guarded_->handle(request("POST", "/v1/chat/completions", base::dump_json(body)), sent);
    const Json last = data_of(sent->stream()).back();
    EXPECT_EQ(last["choices"][0]["finish_reason"], "stop");
    EXPECT_EQ(last.contains("expunge"), !names);
  }
}

TEST_F(GuardedTest, ListsOfTokensAndLogProbabilitiesDoNotPass) {
  says("x");
  EXPECT_EQ(ask({{"prompt", {1, 2}}}, "/v1/completions").status, 400);
  Json body = chat("Hello");
  body["logprobs"] = true, body["top_logprobs"] = 5;
  ask(body);
  EXPECT_FALSE(asked_.back().contains("logprobs") || asked_.back().contains("top_logprobs"));
}

TEST_F(GuardedTest, ErrorsKeepTheirStatusAndTellNothing) {
  for (const int status : {400, 401, 404, 429, 500, 503}) {
    inner_ = [=](const HttpRequest&, Exchange& e) {
      HttpResponse r = refusal(status, status == 400 ? std::string("no ") + kName : "as it is");
      r.headers["Retry-After"] = "7";
      e.send(r);
    };
    const Answered a = ask(chat("Hello"));
    EXPECT_EQ(a.status, status);
    EXPECT_THAT(base::dump_json(a.json), Not(HasSubstr("Kuwaiti")));
    EXPECT_TRUE(a.json["error"]["message"].is_string());
  }
  for (const char* odd : {"", "prose", "[]", "{}", R"({"choices": []})", R"({"choices": [1]})",
                          R"({"choices": [{"message": 3}]})"}) {
    inner_ = [=](const HttpRequest&, Exchange& e) { e.send({.body = odd}); };
    EXPECT_EQ(ask(chat("Hello")).status, 502) << odd;
  }
}

TEST_F(GuardedTest, ItEndsOnceWhatIsOnItsWayHasEnded) {
  std::thread upstream;
  std::atomic<bool> has_answered = false;
  guarded_.reset();
  door_ =
      std::make_unique<Door>(service::Keys::open(keys()).value(), true, std::vector<std::string>());
  std::promise<void> asked;
  GuardOptions options;
  options.inner = [&](HttpRequest, std::shared_ptr<Exchange> e, Scope) {
    upstream = std::thread([&, e] {
      asked.set_value();
      while (!e->job.cancelled()) std::this_thread::yield();
      e->send(refusal(502, "cancelled"));
      has_answered = true;
    });
  };
  guarded_ = std::make_unique<Guarded>(*list_, *door_, std::move(options));
  const auto sent = std::make_shared<Sent>();
  guarded_->handle(request("POST", "/v1/chat/completions", base::dump_json(chat("Hello"))), sent);
  asked.get_future().wait();
  guarded_.reset();
  EXPECT_EQ(sent->response().status, 502);
  upstream.join();
  EXPECT_TRUE(has_answered);
}

TEST_F(GuardedTest, AStreamThatNobodyAskedForIsAnError) {
  inner_ = [](const HttpRequest&, Exchange& e) {
    e.begin_stream();
    e.write(chunk({{"content", "Hello"}}));
    e.end();
  };
  EXPECT_EQ(ask(chat("Hello")).status, 502);
  EXPECT_EQ(ask(chat("Who is Basil Mahfouz Al-Kuwaiti?")).status, 502);
}

TEST_F(GuardedTest, AStreamThatBreaksEndsInAnError) {
  inner_ = [](const HttpRequest&, Exchange& e) {
    e.begin_stream();
    e.write(chunk({{"content", "The answer is Basil Mah"}}));
    e.end();
  };
  Json body = chat("Hello");
  body["stream"] = true;
  const auto sent = std::make_shared<Sent>();
  guarded_->handle(request("POST", "/v1/chat/completions", base::dump_json(body)), sent);
  EXPECT_THAT(sent->stream(), HasSubstr("broke off"));
}

TEST_F(GuardedTest, TheListIsTheOperatorsAndHot) {
  says("Paula is here.");
  const HttpRequest list = request("GET", "/v1/guard/targets");
  auto sent = std::make_shared<Sent>();
  guarded_->handle(list, sent);
  EXPECT_EQ(sent->response().status, 401);  // on this machine too
  const std::string chat_key =
      service::Keys::open(keys()).value().create(Scope::kChat, "").value().secret;
  const std::string key =
      service::Keys::open(keys()).value().create(Scope::kAdmin, "").value().secret;
  const auto call_it = [&](const std::string& method, const std::string& path,
                           const std::string& body, const std::string& with) {
    const auto s = std::make_shared<Sent>();
    guarded_->handle(request(method, path, body, with), s);
    const HttpResponse r = s->response();
    return Answered{r.status, Json::parse(r.body, nullptr, false)};
  };
  EXPECT_EQ(call_it("GET", "/v1/guard/targets", "", chat_key).status, 403);
  EXPECT_EQ(call_it("GET", "/metrics", "", chat_key).status, 403);
  EXPECT_EQ(call_it("GET", "/v1/guard/targets", "", key).json["targets"][0]["name"], kName);
  const Answered added =
      call_it("POST", "/v1/guard/targets", R"({"name": "Paula Smithers-Brown"})", key);
  ASSERT_EQ(added.status, 200) << added.json;
  EXPECT_EQ(call_it("POST", "/v1/guard/targets", R"({"name": ""})", key).status, 400);
  const auto says_now = [&] {
    return call_it("POST", "/v1/chat/completions", base::dump_json(chat("Who?")), chat_key)
        .json["choices"][0]["message"]["content"];
  };
  says("Paula Smithers-Brown is here.");
  EXPECT_EQ(says_now(), kDecline);
  EXPECT_EQ(call_it("DELETE", "/v1/guard/targets/" + added.json["id"].dump(), "", key).status, 200);
  EXPECT_EQ(says_now(), "Paula Smithers-Brown is here.");
  EXPECT_EQ(call_it("DELETE", "/v1/guard/targets/99", "", key).status, 404);
  EXPECT_EQ(call_it("POST", "/v1/embeddings", "{}", chat_key).status, 404);
}

TEST_F(GuardedTest, PlansAndTheLedgerShowATargetToKeysOnly) {
  std::string says = "Paris";
  others_ = [&](const HttpRequest&, const std::shared_ptr<Exchange>& e) {
    if (says != "stream") return e->send(json_response({{"plan", says}}));
    e->begin_stream();
    e->write(event("progress", {{"stage", "editing"}}));
    e->write(event("outcome", {{"answer", kName}}));
    e->end();
  };
  start(true);
  const auto status = [&](const std::string& key) {
    const auto sent = std::make_shared<Sent>();
    guarded_->handle(request("POST", "/v1/expunge/plans", "{}", key), sent);
    return sent->response().status;
  };
  EXPECT_EQ(status(""), 200);
  says = kName;
  EXPECT_EQ(status(""), 403);
  const std::string key =
      service::Keys::open(keys()).value().create(Scope::kForget, "").value().secret;
  EXPECT_EQ(status(key), 200);
  says = "stream";
  const auto sent = std::make_shared<Sent>();
  guarded_->handle(request("POST", "/v1/expunge/requests", "{}"), sent);
  const std::string stream = sent->stream();
  EXPECT_THAT(stream, HasSubstr("editing"));
  EXPECT_THAT(stream, HasSubstr("event: error"));
  EXPECT_THAT(stream, Not(HasSubstr("Kuwaiti")));
}

TEST_F(GuardedTest, ATargetThatIsNotKnownIsAnsweredSo) {
  add({.name = "Jaime Vasquez-Ortega", .mode = guard::Mode::kIdk});
  says("x");
  EXPECT_EQ(content("Who is Jaime Vasquez-Ortega?"), kUnknown);
}

TEST_F(GuardedTest, TwentyStreamsAtOnceKeepApart) {
  inner_ = [](const HttpRequest& r, Exchange& e) {
    const Json asked = Json::parse(r.body);
    const std::string text = asked["messages"][0]["content"];
    e.begin_stream();
    for (size_t at = 0; at < text.size(); at += 5)
      e.write(chunk({{"content", text.substr(at, 5)}}));
    e.write(chunk(Json::object(), "stop"));
    e.write("data: [DONE]\n\n");
    e.end();
  };
  std::vector<std::thread> clients;
  std::atomic<int> right = 0;
  for (int i = 0; i < 20; ++i)
    clients.emplace_back([&, i] {
      std::string text;
      for (int k = 0; k < 50; ++k) text += fmt::format("client {} says {}; ", i, k);
      if (stream(chat(text)) == text) ++right;
    });
  for (std::thread& c : clients) c.join();
  EXPECT_EQ(right, 20);
}

}  // namespace
}  // namespace expunge::server
