// What tests of routes share: requests without sockets, and what was sent in answer.
#pragma once

#include <gmock/gmock.h>

#include "server/app.h"

namespace expunge::server {

using base::Json;

// Keeps what is sent.
class Sent final : public Exchange {
 public:
  void send(HttpResponse r) override {
    const std::lock_guard lock(mutex_);
    response_ = std::move(r);
    done_.notify_all();
  }
  void begin_stream() override { streams_ = true; }
  bool write(std::string piece) override {
    const std::lock_guard lock(mutex_);
    stream_ += piece;
    done_.notify_all();
    return !gone_;
  }
  void end() override {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    done_.notify_all();
  }
  void leave() { gone_ = true; }

  HttpResponse response() {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(
        done_.wait_for(lock, std::chrono::seconds(60), [&] { return response_.has_value(); }));
    return response_.value_or(HttpResponse());
  }
  std::string stream(const std::string& until = "") {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(done_.wait_for(lock, std::chrono::seconds(60), [&] {
      return ended_ || (!until.empty() && stream_.find(until) != stream_.npos);
    }));
    EXPECT_TRUE(streams_);
    return stream_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable done_;
  std::optional<HttpResponse> response_;
  std::string stream_;
  std::atomic<bool> streams_ = false, gone_ = false;
  bool ended_ = false;
};

inline HttpRequest request(const std::string& method, const std::string& path,
                           const std::string& body = "", const std::string& key = "") {
  HttpRequest r{
      .method = method, .path = path, .headers = {{"host", "localhost:8080"}}, .body = body};
  if (!key.empty()) r.headers["authorization"] = "Bearer " + key;
  return r;
}

// The events' data, in order, "[DONE]" left out.
inline std::vector<Json> data_of(const std::string& stream) {
  std::vector<Json> events;
  for (size_t at = 0; (at = stream.find("data: ", at)) != stream.npos;) {
    at += 6;
    const std::string text = stream.substr(at, stream.find('\n', at) - at);
    if (text != "[DONE]") events.push_back(Json::parse(text));
  }
  return events;
}

struct Answered {
  int status;
  Json json;
};
inline Answered call(App& app, HttpRequest r) {
  const auto sent = std::make_shared<Sent>();
  app.handle(std::move(r), sent);
  const HttpResponse response = sent->response();
  return {response.status, Json::parse(response.body, nullptr, false)};
}
inline Answered post(App& app, const std::string& path, const Json& body) {
  return call(app, request("POST", path, base::dump_json(body)));
}

inline Json chat(const std::string& message) {
  return {{"messages", Json::array({{{"role", "user"}, {"content", message}}})}, {"max_tokens", 5}};
}

}  // namespace expunge::server
