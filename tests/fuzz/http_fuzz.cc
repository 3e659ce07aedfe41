// Bytes of any client to the HTTP transport, over a real socket: it answers with a status line or
// closes, and goes on serving.
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include "fuzz/fuzz.h"
#include "server/http.h"

namespace expunge::fuzz {
namespace {

using server::Exchange;
using server::HttpRequest;
using server::HttpResponse;
using server::HttpServer;

// Answers with what it was asked, every third time as a stream.
void echo(const HttpRequest& request, const std::shared_ptr<Exchange>& exchange) {
  std::string text = request.method + request.path + request.body;
  for (const auto& [name, value] : request.headers) text += name + value;
  if (text.size() % 3 != 0) return exchange->send({.body = std::move(text)});
  exchange->begin_stream();
  exchange->write(std::move(text));
  exchange->end();
}

uint16_t port() {
  static const uint16_t kPort = [] {
    // Never destroyed: its thread runs to the end of the process.
    static HttpServer* const held =
        HttpServer::listen(
            "127.0.0.1", 0, {.header_s = 0.05, .body_s = 0.05, .idle_s = 0.05},
            [](const HttpRequest& r, const std::shared_ptr<Exchange>& e) { echo(r, e); },
            [](int status, const std::string& message) {
              return HttpResponse{.status = status, .body = message};
            })
            .value()
            .release();
    std::thread([] { held->run(); }).detach();
    return held->port();
  }();
  return kPort;
}

std::string exchange(std::string_view bytes) {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port());
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  CHECK(::connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0);
  (void)::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  ::shutdown(fd, SHUT_WR);
  const timeval most{10, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most);
  std::string text;
  char buffer[4096];
  ssize_t n;
  while ((n = ::recv(fd, buffer, sizeof buffer, 0)) > 0)
    text.append(buffer, static_cast<size_t>(n));
  CHECK(n == 0 || errno == ECONNRESET, "no end after {} bytes", text.size());
  ::close(fd);
  return text;
}

}  // namespace

std::vector<std::string> seeds() {
  return {
      "GET /a%20b?x=1&y=%41 HTTP/1.1\r\nHost: localhost\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody",
      "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
      "GET / HTTP/1.0\r\n\r\n",
      "HEAD / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nab"};
}

std::vector<std::string_view> dictionary() {
  return {"GET ",
          "POST ",
          "HEAD ",
          " HTTP/1.1\r\n",
          " HTTP/1.0\r\n",
          "\r\n\r\n",
          "Host: h\r\n",
          "Content-Length: ",
          "Transfer-Encoding: chunked\r\n",
          "Connection: keep-alive\r\n",
          "Expect: 100-continue\r\n",
          "%2F",
          "%00",
          "?a=b&",
          "0\r\n\r\n",
          "ffffffffffffffff"};
}

int fuzz_one(std::span<const std::byte> input) {
  const std::string answer = exchange({reinterpret_cast<const char*>(input.data()), input.size()});
  CHECK(answer.empty() || answer.starts_with("HTTP/1."), "{}", answer);
  return answer.find(" 200 OK\r\n") != answer.npos;  // perhaps after a 100
}

}  // namespace expunge::fuzz
