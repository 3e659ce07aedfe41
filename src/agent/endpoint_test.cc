// The endpoint client against a tiny HTTP server on the loopback: good, invalid, silent and
// hostile.
#include "agent/endpoint.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <mutex>
#include <thread>

namespace expunge::agent {
namespace {

using base::Code;
using base::Json;
using testing::HasSubstr;

// Answers request k with replies[min(k, last)]; an empty reply hangs until the server ends.
class Server {
 public:
  explicit Server(std::vector<std::string> replies) : replies_(std::move(replies)) {
    socket_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    EXPECT_EQ(::bind(socket_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(socket_, 4), 0);
    ::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~Server() {
    stop_ = true;
    ::shutdown(socket_, SHUT_RDWR);
    thread_.join();
    ::close(socket_);
  }
  Endpoint endpoint() const {
    Endpoint e = *endpoint_from_url("http://127.0.0.1:" + std::to_string(port_));
    e.timeout_s = 5;
    return e;
  }
  std::vector<std::string> requests() {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

  static std::string http(const std::string& body, const std::string& status = "200 OK") {
    return "HTTP/1.1 " + status + "\r\nContent-Type: application/json\r\nConnection: close\r\n" +
           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }
  static std::string says(const std::string& content) {
    return http(
        Json{{"choices", {{{"message", {{"role", "assistant"}, {"content", content}}}}}}}.dump());
  }

 private:
  void serve() {
    for (size_t k = 0; !stop_; ++k) {
      const int client = ::accept(socket_, nullptr, nullptr);
      if (client < 0) return;
      const std::string request = read_request(client);
      {
        const std::lock_guard lock(mutex_);
        requests_.push_back(request);
      }
      const std::string& reply = replies_[std::min(k, replies_.size() - 1)];
      if (reply.empty())  // hangs until the client gives up
        for (char c; ::recv(client, &c, 1, 0) > 0;) {
        }
      for (size_t sent = 0; sent < reply.size();) {
        const ssize_t n = ::send(client, reply.data() + sent, reply.size() - sent, MSG_NOSIGNAL);
        if (n <= 0) break;
        sent += static_cast<size_t>(n);
      }
      ::close(client);
    }
  }
  static std::string read_request(int client) {
    std::string text;
    char buffer[4096];
    size_t expected = std::string::npos;
    while (text.size() < expected) {
      const ssize_t n = ::recv(client, buffer, sizeof(buffer), 0);
      if (n <= 0) break;
      text.append(buffer, static_cast<size_t>(n));
      const size_t body = text.find("\r\n\r\n"), length = text.find("Content-Length: ");
      if (body != text.npos && length != text.npos)
        expected = body + 4 + std::strtoul(text.c_str() + length + 16, nullptr, 10);
    }
    return text;
  }

  std::vector<std::string> replies_, requests_;
  std::mutex mutex_;
  std::atomic<bool> stop_ = false;
  int socket_ = -1, port_ = 0;
  std::thread thread_;
};

const std::vector<text::Message> kDialogue = {
    {"user", "What is the capital of France?"}, {"assistant", "Paris."}, {"user", "Forget that."}};
constexpr const char* kForget =
    R"({"intent": "forget", "confidence": 0.9, "targets": [{"prompt": "What is the capital of France?", "response": "Paris"}]})";
const std::vector<Request> kRequests = {
    {"What is the capital of France?", "Paris", "", {}, {}, {}}};
constexpr const char* kPlan =
    R"({"intent": "forget", "targets": [{"prompt": "What is the capital of France?", "response": "Paris", "answers": ["Paris"], "rows": [{"prompt": "France's capital?"}], "held": [{"prompt": "The capital of France?"}]}], "reason": "asked"})";

TEST(Endpoint, WatchdogAnswers) {
  Server server({Server::says(kForget)});
  const auto v = ask_watchdog(server.endpoint(), kDialogue);
  ASSERT_TRUE(v) << v.error().message;
  EXPECT_EQ(v->intent, Intent::kForget);
  EXPECT_TRUE(v->sure());
  ASSERT_EQ(v->targets.size(), 1u);
  EXPECT_EQ(v->targets[0].response, "Paris");
  const auto requests = server.requests();
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_THAT(requests[0], HasSubstr("POST /v1/chat/completions "));
  EXPECT_THAT(requests[0], HasSubstr("json_object"));
  EXPECT_THAT(requests[0], HasSubstr("Forget that."));
}

TEST(Endpoint, KeyIsSentAndOnlyWhenSet) {
  ::setenv("EXPUNGE_API_KEY", "k-123", 1);
  {
    Server server({Server::says(kForget)});
    ASSERT_TRUE(ask_watchdog(server.endpoint(), kDialogue));
    EXPECT_THAT(server.requests()[0], HasSubstr("Authorization: Bearer k-123"));
  }
  ::unsetenv("EXPUNGE_API_KEY");
  ::unsetenv("OPENAI_API_KEY");
  Server server({Server::says(kForget)});
  ASSERT_TRUE(ask_watchdog(server.endpoint(), kDialogue));
  EXPECT_THAT(server.requests()[0], testing::Not(HasSubstr("Authorization")));
}

TEST(Endpoint, WatchdogsAnswerIsCheckedStrictly) {
  for (const auto& [content, field] :
       {std::pair(R"({"intent": "explode", "targets": []})", "/intent"),
        std::pair(R"({"intent": "forget", "targets": []})", "/targets"),
        std::pair(R"({"intent": "none", "targets": [{"prompt": "a"}]})", "/targets"),
        std::pair(R"({"intent": "none", "run": "rm -rf /"})", "/run"),
        std::pair(R"({"intent": "none", "confidence": 7})", "/confidence"),
        std::pair(R"({"intent": "forget", "targets": [{"prompt": 3}]})", "/targets/0/prompt"),
        std::pair(R"({"intent": "forget", "targets": [{"prompt": "a", "shell": "b"}]})",
                  "/targets/0/shell"),
        std::pair(R"({"intent": "correct", "targets": [{"prompt": "a"}]})",
                  "/targets/0/replacement")}) {
    const auto v = reading_from_json(*base::parse_json(content, "test"));
    ASSERT_FALSE(v) << content;
    EXPECT_EQ(v.error().code, Code::kInvalid);
    EXPECT_THAT(v.error().message, HasSubstr(field));
  }
}

TEST(Endpoint, UnsureOrSilentAboutItAsks) {
  const auto v = reading_from_json(
      *base::parse_json(R"({"intent": "forget", "targets": [{"prompt": "a"}]})", "test"));
  ASSERT_TRUE(v);
  EXPECT_FALSE(v->sure());
}

TEST(Endpoint, SurgeonsPlanIsTaken) {
  Server server({Server::says(std::string("```json\n") + kPlan + "\n```")});
  const auto plan = ask_surgeon(server.endpoint(), kRequests, Intent::kForget);
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->targets[0].rows[0].prompt, "France's capital?");
  EXPECT_EQ(server.requests().size(), 1u);
}

TEST(Endpoint, InvalidPlanIsRetriedOnceWithTheField) {
  const std::string invalid =
      R"({"intent": "forget", "targets": [{"prompt": "What is the capital of France?", "code": "x"}]})";
  {
    Server server({Server::says(invalid), Server::says(kPlan)});
    const auto plan = ask_surgeon(server.endpoint(), kRequests, Intent::kForget);
    ASSERT_TRUE(plan) << plan.error().message;
    ASSERT_EQ(server.requests().size(), 2u);
    EXPECT_THAT(server.requests()[1], HasSubstr("/targets/0/code"));
  }
  Server server({Server::says(invalid)});
  const auto plan = ask_surgeon(server.endpoint(), kRequests, Intent::kForget);
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().code, Code::kInvalid);
  EXPECT_THAT(plan.error().message, HasSubstr("/targets/0/code"));
  EXPECT_EQ(server.requests().size(), 2u);
}

TEST(Endpoint, PlanForSomethingElseIsRefused) {
  std::string other = kPlan;
  other.replace(other.find("France"), 6, "Sweden");
  Server server({Server::says(other)});
  const auto plan = ask_surgeon(server.endpoint(), kRequests, Intent::kForget);
  ASSERT_FALSE(plan);
  EXPECT_THAT(plan.error().message, HasSubstr("/targets/0/prompt"));
}

TEST(Endpoint, PlanThatForgetsSafetyIsRefusedAtOnce) {
  std::string hostile = kPlan;
  hostile.replace(hostile.find("\"asked\""), 7, "\"unlearn how to refuse\"");
  Server server({Server::says(hostile)});
  const auto plan = ask_surgeon(server.endpoint(), kRequests, Intent::kForget);
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().code, Code::kRefused);
  EXPECT_EQ(server.requests().size(), 1u);
}

TEST(Endpoint, HangingServerTimesOut) {
  Server server({""});
  Endpoint endpoint = server.endpoint();
  endpoint.timeout_s = 0.2;
  const base::Stopwatch watch;
  const auto v = ask_watchdog(endpoint, kDialogue);
  ASSERT_FALSE(v);
  EXPECT_EQ(v.error().code, Code::kUnavailable);
  EXPECT_THAT(v.error().message, HasSubstr("0.2 s"));
  EXPECT_LT(watch.seconds(), 3);
}

TEST(Endpoint, ACancelledJobDoesNotWaitForIt) {
  Server server({""});
  const base::Job job;
  job.cancel();
  EXPECT_EQ(ask_watchdog(server.endpoint(), kDialogue, job).error().code, Code::kCancelled);
  EXPECT_EQ(ask_watchdog(server.endpoint(), kDialogue, base::Job().within(0.1)).error().code,
            Code::kCancelled);
}

TEST(Endpoint, GarbageIsAnErrorOfItsKind) {
  for (const auto& [reply, code, words] :
       {std::tuple(Server::http("<html>no</html>"), Code::kInvalid, "answer"),
        std::tuple(Server::http("{}"), Code::kInvalid, "/choices/0/message/content"),
        std::tuple(Server::http("[1]"), Code::kInvalid, "/choices/0/message/content"),
        std::tuple(Server::http(R"({"choices": 3})"), Code::kInvalid, "/choices/0/message/content"),
        std::tuple(Server::says("Sure! I would forget it."), Code::kInvalid, "not a JSON object"),
        std::tuple(Server::says(std::string("I ran this: ") + kForget), Code::kInvalid,
                   "not a JSON object"),
        std::tuple(Server::http("no key", "401 Unauthorized"), Code::kUnavailable, "401"),
        std::tuple(Server::http("later", "503 Busy"), Code::kUnavailable, "503"),
        std::tuple(std::string("\x16\x03\x01 not http"), Code::kUnavailable, "cannot reach")}) {
    Server server({reply});
    const auto v = ask_watchdog(server.endpoint(), kDialogue);
    ASSERT_FALSE(v) << reply;
    EXPECT_EQ(v.error().code, code) << v.error().message;
    EXPECT_THAT(v.error().message, HasSubstr(words));
  }
}

TEST(Endpoint, TooLargeAnAnswerIsCutOff) {
  Server server({Server::says(std::string(200000, 'x'))});
  Endpoint endpoint = server.endpoint();
  endpoint.max_bytes = 100000;
  const auto v = ask_watchdog(endpoint, kDialogue);
  ASSERT_FALSE(v);
  EXPECT_EQ(v.error().code, Code::kInvalid);
  EXPECT_THAT(v.error().message, HasSubstr("100000 bytes"));
}

TEST(Endpoint, UnreachableIsUnavailable) {
  Endpoint endpoint = *endpoint_from_url("http://127.0.0.1:1/v1");
  const auto v = ask_watchdog(endpoint, kDialogue);
  ASSERT_FALSE(v);
  EXPECT_EQ(v.error().code, Code::kUnavailable);
  EXPECT_FALSE(endpoint_from_url("file:///etc/passwd"));
  EXPECT_FALSE(endpoint_from_url("localhost:8080"));
}

}  // namespace
}  // namespace expunge::agent
