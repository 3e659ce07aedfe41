#include "server/http.h"

#include <sys/resource.h>
#include <sys/socket.h>

#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <set>

#include "server/answer.h"
#include "server/url.h"

namespace expunge::server {
namespace {

namespace beast = boost::beast;
namespace http = beast::http;
using asio::awaitable;
using asio::ip::tcp;
using base::Code;
using base::Result;

class Server final : public HttpServer {
 public:
  Server(const HttpLimits& limits, Handler handler, Refusal refusal)
      : limits_(limits),
        handler_(std::move(handler)),
        refusal_(std::move(refusal)),
        acceptor_(io_),
        grace_(io_) {}

  base::Status bind(const std::string& host, uint16_t port) {
    error_code error;
    const auto address = asio::ip::make_address(host == "localhost" ? "127.0.0.1" : host, error);
    if (error)
      return base::fail(Code::kInvalid, fmt::format("'{}' is not an address", host),
                        "use 127.0.0.1, ::1, 0.0.0.0 or an address of this machine");
    // As many connections as the system allows.
    rlimit files{};
    if (::getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
      files.rlim_cur = files.rlim_max;
      ::setrlimit(RLIMIT_NOFILE, &files);
    }
    const tcp::endpoint endpoint(address, port);
    acceptor_.open(endpoint.protocol(), error);
    if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(1024, error);
    if (error)
      return base::fail(Code::kConflict,
                        fmt::format("cannot listen on {}:{}: {}", host, port, error.message()),
                        "choose another --port, or end what uses it");
    port_ = acceptor_.local_endpoint().port();
    return {};
  }
  uint16_t port() const override { return port_; }
  size_t n_connections() const override { return n_connections_; }

  void run() override {
    asio::co_spawn(io_, accept(), asio::detached);
    io_.run();
    for (const auto& exchange : open_) exchange->leave();  // nobody will take their answers
  }
  void stop(double grace_s) override {
    asio::post(io_, [this, grace_s] {
      if (std::exchange(stops_, true)) return io_.stop();
      error_code ignored;
      acceptor_.close(ignored);
      for (tcp::socket* idle : std::set(idle_)) idle->close(ignored);
      if (n_connections_ == 0) return io_.stop();
      grace_.expires_after(milliseconds(grace_s));
      grace_.async_wait([this](const error_code& e) {
        if (!e) io_.stop();
      });
    });
  }

 private:
  using Stream = beast::tcp_stream;

  awaitable<void> accept() {
    while (!stops_) {
      error_code error;
      tcp::socket socket(io_);
      co_await acceptor_.async_accept(socket, into(error));
      if (stops_) break;
      if (error) {  // no descriptors left: those that end make room
        asio::steady_timer pause(io_, milliseconds(0.05));
        co_await pause.async_wait(into(error));
        continue;
      }
      if (n_connections_ >= limits_.connections) continue;  // closes it
      ++n_connections_;
      asio::co_spawn(io_, connection(Stream(std::move(socket))), [this](std::exception_ptr) {
        if (--n_connections_ == 0 && stops_) io_.stop();
      });
    }
  }

  awaitable<void> connection(Stream stream) {
    error_code error;
    stream.socket().set_option(tcp::no_delay(true), error);
    beast::flat_buffer buffer(limits_.header_bytes + (64 << 10));
    bool is_first = true;
    while (!stops_) {
      // A new connection must speak as soon as a request must be complete.
      if (!co_await wait_for_request(stream, buffer, is_first)) co_return;
      is_first = false;
      http::request_parser<http::string_body> parser;
      parser.header_limit(static_cast<uint32_t>(limits_.header_bytes));
      parser.body_limit(limits_.body_bytes);
      stream.expires_never();
      bool is_late = false;
      {
        const Deadline deadline(stream.socket(), limits_.header_s);
        co_await http::async_read_header(stream, buffer, parser, into(error));
        is_late = deadline.passed();
      }
      if (!error && parser.get()[http::field::expect] == "100-continue") {
        http::response<http::empty_body> go_on(http::status::continue_, 11);
        co_await http::async_write(stream, go_on, into(error));
      }
      if (!error) {
        const Deadline deadline(stream.socket(), limits_.body_s);
        co_await http::async_read(stream, buffer, parser, into(error));
        is_late = deadline.passed();
      }
      if (error) {
        co_await refuse(stream, is_late ? error_code(beast::error::timeout) : error);
        co_return;
      }
      const auto request = parser.release();
      if (!co_await answer(stream, buffer, request)) co_return;
    }
    stream.socket().shutdown(tcp::socket::shutdown_both, error);
  }

  // False if none comes.
  awaitable<bool> wait_for_request(Stream& stream, beast::flat_buffer& buffer, bool is_first) {
    if (buffer.size() > 0) co_return true;
    error_code error;
    stream.expires_after(milliseconds(is_first ? limits_.header_s : limits_.idle_s));
    idle_.insert(&stream.socket());
    const size_t n = co_await stream.async_read_some(buffer.prepare(4096), into(error));
    idle_.erase(&stream.socket());
    buffer.commit(n);
    co_return !error;
  }

  awaitable<void> refuse(Stream& stream, const error_code& error) {
    int status = 400;
    std::string message = "this is not an HTTP request: " + error.message();
    if (error == http::error::header_limit)
      status = 431, message = fmt::format("the headers exceed {} bytes", limits_.header_bytes);
    else if (error == http::error::body_limit)
      status = 413, message = fmt::format("the body exceeds {} bytes", limits_.body_bytes);
    else if (error == beast::error::timeout)
      status = 408, message = "the request did not come in time";
    else if (error == http::error::end_of_stream ||
             error.category() != make_error_code(http::error::bad_method).category())
      co_return;  // the client has gone
    co_await send(stream, refusal_(status, message), 11, false, false);
    co_await drain(stream);
  }

  // A client that is still sending would lose the answer to a reset.
  awaitable<void> drain(Stream& stream) {
    error_code error;
    stream.socket().shutdown(tcp::socket::shutdown_send, error);
    std::array<char, 4096> rest;
    stream.expires_after(std::chrono::seconds(2));
    for (size_t n = 0; !error && n < limits_.body_bytes;)
      n += co_await stream.async_read_some(asio::buffer(rest), into(error));
  }

  static HttpRequest converted(const http::request<http::string_body>& request, bool& is_good) {
    HttpRequest r;
    r.method = std::string(request.method_string());
    r.body = request.body();
    const std::string target(request.target());
    const auto path = url_decoded(std::string_view(target).substr(0, target.find('?')));
    is_good = path && path->starts_with('/');
    if (is_good) r.path = *path;
    for (const auto& field : request) {
      std::string name(field.name_string());
      std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::tolower(c); });
      r.headers[name] = std::string(field.value());
    }
    return r;
  }

  // False: the connection ends.
  awaitable<bool> answer(Stream& stream, beast::flat_buffer& buffer,
                         const http::request<http::string_body>& request) {
    const bool keeps = request.keep_alive(), is_head = request.method() == http::verb::head;
    const unsigned version = request.version();
    bool is_good = true;
    HttpRequest converted = Server::converted(request, is_good);
    if (!is_good)
      co_return co_await send(stream, refusal_(400, "the target is not a path"), version, keeps,
                              is_head);
    const auto exchange = std::make_shared<Answer>(io_, limits_.unsent_bytes);
    const auto watched = buffer.size() == 0 ? watch(stream, exchange) : nullptr;
    open_.insert(exchange);
    handler_(std::move(converted), exchange);
    stream.expires_never();
    co_await exchange->something();
    // A client that has ended its side may still read what is there already.
    bool goes_on = true;
    if (exchange->response())
      goes_on = co_await send(stream, std::move(*exchange->response()), version, keeps, is_head);
    else
      goes_on =
          exchange->streams() && co_await send_stream(stream, *exchange, version, keeps) && keeps;
    exchange->leave();
    open_.erase(exchange);
    if (watched) {
      *watched = false;
      error_code ignored;
      stream.socket().cancel(ignored);
    }
    co_return goes_on;
  }

  // Notices that the client closes while its answer is being made. Set false to stop watching.
  static std::shared_ptr<bool> watch(Stream& stream, const std::shared_ptr<Answer>& exchange) {
    auto watched = std::make_shared<bool>(true);
    auto& socket = stream.socket();
    socket.async_wait(tcp::socket::wait_read, [watched, exchange, &socket](const error_code& e) {
      if (e || !*watched) return;
      char byte = 0;
      const ssize_t n = ::recv(socket.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
      if (n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK)) exchange->leave();
    });
    return watched;
  }

  template <class Message>
  static void set_headers(Message& message, const std::map<std::string, std::string>& headers,
                          bool keeps) {
    message.set(http::field::server, "expunge");
    message.set("X-Content-Type-Options", "nosniff");
    for (const auto& [name, value] : headers) message.set(name, value);
    message.keep_alive(keeps);
  }

  awaitable<bool> send(Stream& stream, HttpResponse response, unsigned version, bool keeps,
                       bool is_head) {
    http::response<http::string_body> message(static_cast<http::status>(response.status), version);
    keeps = keeps && !stops_;
    set_headers(message, response.headers, keeps);
    message.set(http::field::content_type, response.content_type);
    message.body() = std::move(response.body);
    message.prepare_payload();
    if (is_head) message.body().clear();  // the length is that of the body it would have
    error_code error;
    stream.expires_after(milliseconds(limits_.write_s));
    http::response_serializer<http::string_body> serializer(message);
    if (is_head)
      co_await http::async_write_header(stream, serializer, into(error));
    else
      co_await http::async_write(stream, serializer, into(error));
    co_return !error && keeps;
  }

  awaitable<bool> send_stream(Stream& stream, Answer& exchange, unsigned version, bool keeps) {
    http::response<http::empty_body> head(http::status::ok, version);
    set_headers(head, {{"Cache-Control", "no-store"}, {"X-Accel-Buffering", "no"}}, keeps);
    head.set(http::field::content_type, "text/event-stream; charset=utf-8");
    const bool chunks = version >= 11;
    head.chunked(chunks);
    if (!chunks) head.keep_alive(false);
    error_code error;
    http::response_serializer<http::empty_body> serializer(head);
    stream.expires_after(milliseconds(limits_.write_s));
    co_await http::async_write_header(stream, serializer, into(error));
    exchange.set_begun();
    while (!error) {
      co_await exchange.something();
      const std::string pieces = exchange.next_pieces();
      if (exchange.cut() || (exchange.gone() && pieces.empty() && !exchange.ended())) break;
      if (!pieces.empty()) {
        stream.expires_after(milliseconds(limits_.write_s));
        if (chunks)
          co_await asio::async_write(stream, http::make_chunk(asio::buffer(pieces)), into(error));
        else
          co_await asio::async_write(stream, asio::buffer(pieces), into(error));
        stream.expires_never();
      }
      if (!error && exchange.ended()) {
        if (chunks) co_await asio::async_write(stream, http::make_chunk_last(), into(error));
        co_return !error && chunks;
      }
    }
    co_return false;
  }

  const HttpLimits limits_;
  const Handler handler_;
  const Refusal refusal_;
  asio::io_context io_{1};
  tcp::acceptor acceptor_;
  asio::steady_timer grace_;
  std::set<tcp::socket*> idle_;             // connections without a request
  std::set<std::shared_ptr<Answer>> open_;  // being answered
  std::atomic<size_t> n_connections_ = 0;
  bool stops_ = false;
  uint16_t port_ = 0;
};

}  // namespace

bool is_loopback(const std::string& host) {
  error_code error;
  return host == "localhost" || (asio::ip::make_address(host, error).is_loopback() && !error);
}

Result<std::unique_ptr<HttpServer>> HttpServer::listen(const std::string& host, uint16_t port,
                                                       const HttpLimits& limits, Handler handler,
                                                       Refusal refusal) {
  auto server = std::make_unique<Server>(limits, std::move(handler), std::move(refusal));
  TRY(server->bind(host, port));
  return server;
}

}  // namespace expunge::server
