// The transport over real sockets: requests, limits, streams, clients that go away.
#include "server/http.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <sys/socket.h>
#include <unistd.h>

#include <future>
#include <thread>

namespace expunge::server {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

class Client {
 public:
  explicit Client(uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    timeval most{5, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) close();
  }
  ~Client() { close(); }
  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }
  void send(const std::string& text) { (void)::send(fd_, text.data(), text.size(), MSG_NOSIGNAL); }
  // Until `end` has come, or the connection ends.
  std::string receive(const std::string& end = "") {
    std::string text;
    char buffer[4096];
    while (end.empty() || text.find(end) == text.npos) {
      const ssize_t n = ::recv(fd_, buffer, sizeof buffer, 0);
      if (n <= 0) break;
      text.append(buffer, static_cast<size_t>(n));
    }
    return text;
  }

 private:
  int fd_;
};

class Http : public testing::Test {
 protected:
  void start(Handler handler, HttpLimits limits = {}) {
    server_ = HttpServer::listen("127.0.0.1", 0, limits, std::move(handler),
                                 [](int status, const std::string& message) {
                                   return HttpResponse{.status = status, .body = message};
                                 })
                  .value();
    thread_ = std::thread([this] { server_->run(); });
  }
  void TearDown() override {
    if (!server_) return;
    server_->stop(0.2);
    thread_.join();
  }
  Client client() const { return Client(server_->port()); }
  std::string answer(const std::string& request) const {
    Client c = client();
    c.send(request);
    return c.receive();
  }

  // Serves a client whose request is not answered; its exchange.
  std::shared_ptr<Exchange> open_exchange(Client& c) {
    c.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    return begun_.get_future().get();
  }
  Handler holding() {
    return [this](HttpRequest, std::shared_ptr<Exchange> e) { begun_.set_value(std::move(e)); };
  }

  std::unique_ptr<HttpServer> server_;
  std::thread thread_;
  std::promise<std::shared_ptr<Exchange>> begun_;
};

// What was asked, in a line.
void echo(HttpRequest r, const std::shared_ptr<Exchange>& exchange) {
  std::string text = r.method + " " + r.path;
  exchange->send({.body = text + " [" + r.header("x-own") + "] " + r.body});
}

TEST_F(Http, ARequestIsTakenApart) {
  start(echo);
  const std::string text = answer(
      "POST /a%20b/c?x=1&y=a+%C3%A9&x=2 HTTP/1.1\r\nHost: h\r\nX-OWN: v\r\n"
      "Content-Length: 4\r\nConnection: close\r\n\r\nbody");
  EXPECT_THAT(text, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(text, HasSubstr("X-Content-Type-Options: nosniff\r\n"));
  EXPECT_THAT(text, EndsWith("\r\n\r\nPOST /a b/c [v] body"));
}

TEST_F(Http, AConnectionServesSeveralRequestsInOrder) {
  start(echo);
  Client c = client();
  c.send("GET /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\n");
  c.send("HEAD /3 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  const std::string text = c.receive();
  EXPECT_LT(text.find("GET /1"), text.find("GET /2"));
  EXPECT_THAT(text, HasSubstr("Content-Length: 10\r\n"));
  EXPECT_EQ(text.find("HEAD /3"), text.npos);  // its length, not its body
}

TEST_F(Http, WhatIsNotARequestIsRefused) {
  start(echo, {.header_bytes = 1000, .body_bytes = 100});
  EXPECT_THAT(answer("nonsense\r\n\r\n"), StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(answer("GET /%zz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"),
              StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(answer("GET / HTTP/1.1\r\nX: " + std::string(2000, 'x') + "\r\n\r\n"),
              StartsWith("HTTP/1.1 431"));
  EXPECT_THAT(answer("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 101\r\n\r\n"),
              StartsWith("HTTP/1.1 413"));
  EXPECT_THAT(answer("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n96\r\n" +
                     std::string(150, 'x') + "\r\n0\r\n\r\n"),
              StartsWith("HTTP/1.1 413"));
}

TEST_F(Http, SlowAndIdleClientsAreCut) {
  start(echo, {.header_s = 0.2, .body_s = 0.2, .idle_s = 0.2});
  EXPECT_THAT(answer("GET / HT"), StartsWith("HTTP/1.1 408"));
  EXPECT_THAT(answer("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nab"),
              StartsWith("HTTP/1.1 408"));
  EXPECT_EQ(answer(""), "");
}

TEST_F(Http, AStreamComesInPieces) {
  start(holding());
  Client c = client();
  const auto open = open_exchange(c);
  open->begin_stream();
  EXPECT_TRUE(open->write("data: one\n\n"));
  EXPECT_THAT(c.receive("data: one\n\n"), HasSubstr("Content-Type: text/event-stream"));
  EXPECT_TRUE(open->write("data: two\n\n"));
  open->end();
  EXPECT_THAT(c.receive("0\r\n\r\n"), HasSubstr("data: two\n\n"));
  EXPECT_FALSE(open->write("late"));
}

TEST_F(Http, AClientThatGoesAwayCancelsItsJob) {
  start(holding());
  Client c = client();
  const auto open = open_exchange(c);
  EXPECT_FALSE(open->job.cancelled());
  c.close();
  for (int i = 0; i < 500 && !open->job.cancelled(); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_TRUE(open->job.cancelled());
}

TEST_F(Http, AClientThatDoesNotReadIsCut) {
  start(holding(), {.unsent_bytes = 1 << 20});
  Client c = client();
  const auto open = open_exchange(c);
  open->begin_stream();
  int i = 0;
  for (; i < 1000 && open->write(std::string(100000, 'x')); ++i) {
  }
  EXPECT_LT(i, 1000);
  EXPECT_TRUE(open->job.cancelled());
}

TEST_F(Http, ManyIdleConnectionsDoNotHinderOthers) {
  start(echo);
  std::vector<std::unique_ptr<Client>> idle;
  for (int i = 0; i < 2000; ++i) idle.push_back(std::make_unique<Client>(server_->port()));
  EXPECT_THAT(answer("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"), HasSubstr("GET /"));
}

TEST_F(Http, StoppingEndsIdleConnectionsAndLetsAnswersFinish) {
  start(holding());
  Client idle = client(), busy = client();
  const auto open = open_exchange(busy);
  server_->stop(5);
  EXPECT_EQ(idle.receive(), "");
  open->send({.body = "done"});
  EXPECT_THAT(busy.receive(), EndsWith("done"));
  thread_.join();
  server_.reset();
}

TEST(HttpServer, AddressesThatCannotBeHadAreErrors) {
  const auto none = [](HttpRequest, const std::shared_ptr<Exchange>&) {};
  const auto refusal = [](int, const std::string&) { return HttpResponse(); };
  const auto first = HttpServer::listen("127.0.0.1", 0, {}, none, refusal);
  ASSERT_TRUE(first);
  const auto taken = HttpServer::listen("127.0.0.1", (*first)->port(), {}, none, refusal);
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code, base::Code::kConflict);
  const auto odd = HttpServer::listen("not an address", 0, {}, none, refusal);
  ASSERT_FALSE(odd);
  EXPECT_EQ(odd.error().code, base::Code::kInvalid);
}

TEST(IsLoopback, OnlyWhatOthersCannotReach) {
  EXPECT_TRUE(is_loopback("127.0.0.1"));
  EXPECT_TRUE(is_loopback("localhost"));
  EXPECT_TRUE(is_loopback("::1"));
  EXPECT_FALSE(is_loopback("0.0.0.0"));
  EXPECT_FALSE(is_loopback("192.168.1.4"));
  EXPECT_FALSE(is_loopback("example.org"));
}

}  // namespace
}  // namespace expunge::server
