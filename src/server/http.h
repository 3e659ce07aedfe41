// HTTP/1.1 on one thread: reads requests within limits, hands each to a handler, and sends what the
// handler gives, at once or as a stream of server-sent events. Knows nothing of what is served.
//
// Boost.Beast over Asio: it is kept by Boost, is in every distribution, parses within given limits
// and waits for thousands of connections on one thread, where a library with a thread for each
// (cpp-httplib) is held up by as many idle clients. TLS is a proxy's work.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/error.h"
#include "base/job.h"

namespace expunge::server {

struct HttpRequest {
  std::string method, path;                    // the path is decoded, without its query
  std::map<std::string, std::string> headers;  // names in lower case; of a repeated one the last
  std::string body;
  std::string header(const std::string& name) const {
    const auto it = headers.find(name);
    return it == headers.end() ? "" : it->second;
  }
};
struct HttpResponse {
  int status = 200;
  std::string body;
  std::string content_type = "application/json";
  std::map<std::string, std::string> headers = {};
};

// One request's answer: a response, or a stream. From any thread; once the client has gone, what is
// sent is dropped and `job` is cancelled.
class Exchange {
 public:
  explicit Exchange(base::Job job_of_request = base::Job()) : job(std::move(job_of_request)) {}
  virtual ~Exchange() = default;
  virtual void send(HttpResponse response) = 0;
  // The status line and headers of a text/event-stream; then its pieces, then its end.
  virtual void begin_stream() = 0;
  // False once nobody listens: the client has gone, or is so slow that it was cut.
  virtual bool write(std::string piece) = 0;
  virtual void end() = 0;
  const base::Job job;
};
using Handler = std::function<void(HttpRequest request, std::shared_ptr<Exchange> exchange)>;
// What is sent when a request cannot be read: its status and a sentence.
using Refusal = std::function<HttpResponse(int status, const std::string& message)>;

struct HttpLimits {
  size_t header_bytes = 16 << 10, body_bytes = 8 << 20;
  size_t connections = 4096;
  double header_s = 10;           // from the first byte of a request to the end of its headers
  double body_s = 30;             // to the end of its body
  double idle_s = 75;             // without a request
  double write_s = 30;            // in which a client must take a piece
  size_t unsent_bytes = 4 << 20;  // of a stream; a slower client is cut
};

// Whether only this machine can reach an address.
bool is_loopback(const std::string& host);

// An exchange inside the program, for a handler that stands before another.
class Tap final : public Exchange {
 public:
  using Exchange::Exchange;
  std::function<void(HttpResponse)> on_response = [](const HttpResponse&) {};
  std::function<bool(std::string)> on_piece = [](const std::string&) { return true; };
  std::function<void()> on_begin = [] {}, on_end = [] {};
  void send(HttpResponse response) override { on_response(std::move(response)); }
  void begin_stream() override { on_begin(); }
  bool write(std::string piece) override { return on_piece(std::move(piece)); }
  void end() override { on_end(); }
};

class HttpServer {
 public:
  // Binds and listens; port 0 takes a free one. Errors: kConflict if the port is taken, kInvalid
  // for an address that is not one.
  static base::Result<std::unique_ptr<HttpServer>> listen(const std::string& host, uint16_t port,
                                                          const HttpLimits& limits, Handler handler,
                                                          Refusal refusal);
  virtual ~HttpServer() = default;
  virtual uint16_t port() const = 0;
  // Serves until stop() and the streams have ended, or `grace_s` later.
  virtual void run() = 0;
  // From any thread and a signal handler's thread: no new connections or requests.
  virtual void stop(double grace_s) = 0;
  virtual size_t n_connections() const = 0;
};

}  // namespace expunge::server
