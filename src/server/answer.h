// What the transport's coroutines wait for: a handler's answer, and the end of a client's patience.
// Included by http.cc alone.
#pragma once

#include <atomic>
#include <boost/asio.hpp>
#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "server/http.h"

namespace expunge::server {

namespace asio = boost::asio;
using boost::system::error_code;

inline std::chrono::milliseconds milliseconds(double seconds) {
  return std::chrono::milliseconds(static_cast<int64_t>(seconds * 1000));
}
inline asio::redirect_error_t<asio::use_awaitable_t<>> into(error_code& error) {
  return asio::redirect_error(asio::use_awaitable, error);
}

// What handlers send, on its way to the connection's coroutine. Only post() is called by other
// threads; everything else runs on the server's.
class Answer final : public Exchange, public std::enable_shared_from_this<Answer> {
 public:
  Answer(asio::io_context& io, size_t most_unsent)
      : io_(io), most_unsent_(most_unsent), waker_(io, asio::steady_timer::time_point::max()) {}

  void send(HttpResponse response) override {
    asio::post(io_, [self = shared_from_this(), r = std::move(response)]() mutable {
      if (!self->response_ && !self->streams_) self->response_ = std::move(r);
      self->waker_.cancel();
    });
  }
  void begin_stream() override {
    asio::post(io_, [self = shared_from_this()] {
      self->streams_ = true;
      self->waker_.cancel();
    });
  }
  bool write(std::string piece) override {
    if (gone_ || closed_) return false;
    unsent_ += piece.size();
    if (unsent_ > most_unsent_) {
      cut_ = true;
      leave();
      return false;
    }
    asio::post(io_, [self = shared_from_this(), p = std::move(piece)]() mutable {
      self->pieces_.push_back(std::move(p));
      self->waker_.cancel();
    });
    return true;
  }
  void end() override {
    closed_ = true;
    asio::post(io_, [self = shared_from_this()] {
      self->ended_ = true;
      self->waker_.cancel();
    });
  }

  // The client has gone, or is cut.
  void leave() {
    gone_ = true;
    job.cancel();
    asio::post(io_, [self = shared_from_this()] { self->waker_.cancel(); });
  }
  bool gone() const { return gone_; }
  bool cut() const { return cut_; }  // for being too slow
  // Until there is something to send or the client has gone.
  asio::awaitable<void> something() {
    error_code ignored;
    while (!gone_ && !response_ && !ended_ && pieces_.empty() && !(streams_ && !begun_))
      co_await waker_.async_wait(into(ignored));
  }
  std::string next_pieces() {
    std::string all;
    for (; !pieces_.empty(); pieces_.pop_front()) all += pieces_.front();
    unsent_ -= all.size();
    return all;
  }
  std::optional<HttpResponse>& response() { return response_; }
  bool streams() const { return streams_; }
  bool ended() const { return ended_ && pieces_.empty(); }
  void set_begun() { begun_ = true; }

 private:
  asio::io_context& io_;
  const size_t most_unsent_;
  asio::steady_timer waker_;
  std::optional<HttpResponse> response_;
  bool streams_ = false, begun_ = false, ended_ = false;
  std::deque<std::string> pieces_;
  std::atomic<size_t> unsent_ = 0;
  std::atomic<bool> gone_ = false, closed_ = false, cut_ = false;
};

// Cancels what a socket waits for once the time is up; the socket stays open, so that it can be
// told. (The expiry of beast::tcp_stream closes it.)
class Deadline {
 public:
  Deadline(asio::ip::tcp::socket& socket, double seconds)
      : state_(std::make_shared<State>(State::kRuns)),
        timer_(socket.get_executor(), milliseconds(seconds)) {
    timer_.async_wait([state = state_, &socket](const error_code& e) {
      if (e || *state == State::kOver) return;
      *state = State::kPassed;
      error_code ignored;
      socket.cancel(ignored);
    });
  }
  ~Deadline() { *state_ = State::kOver; }  // the timer's call may be queued already
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;
  bool passed() const { return *state_ == State::kPassed; }

 private:
  enum class State { kRuns, kPassed, kOver };
  std::shared_ptr<State> state_;
  asio::steady_timer timer_;
};

}  // namespace expunge::server
