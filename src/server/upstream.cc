#include "server/upstream.h"

#include <curl/curl.h>

#include <algorithm>

#include "server/responses.h"

namespace expunge::server {

using base::Code;
using base::Result;

namespace {

using Handle = std::unique_ptr<CURL, void (*)(CURL*)>;
using Headers = std::unique_ptr<curl_slist, void (*)(curl_slist*)>;

// The client's headers that mean something to a model's server. None that a proxy would add.
constexpr const char* kPassed[] = {"openai-organization", "openai-project", "openai-beta",
                                   "idempotency-key",     "x-request-id",   "accept"};

// What comes back, on its way to the exchange.
struct Relay {
  CURL* curl;
  Exchange& exchange;
  size_t most_bytes;
  HttpResponse response = {};
  bool streams = false, too_large = false;

  size_t take(std::string_view bytes) {
    if (!streams && response.body.empty()) {
      long status = 0;
      curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
      response.status = static_cast<int>(status);
      streams = status == 200 && response.content_type.starts_with("text/event-stream");
      if (streams) exchange.begin_stream();
    }
    if (streams) return exchange.write(std::string(bytes)) ? bytes.size() : 0;
    too_large = response.body.size() + bytes.size() > most_bytes;
    if (too_large) return 0;  // curl stops
    response.body += bytes;
    return bytes.size();
  }
  void take_header(std::string_view line) {
    const size_t colon = line.find(':');
    if (colon == line.npos) return;
    std::string name(line.substr(0, colon)), value(line.substr(colon + 1));
    std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::tolower(c); });
    value.erase(0, value.find_first_not_of(" \t"));
    value.erase(value.find_last_not_of(" \t\r\n") + 1);
    if (name == "content-type") response.content_type = value;
    if (name == "retry-after") response.headers["Retry-After"] = value;
  }
};

size_t take_bytes(char* data, size_t size, size_t count, void* relay) {
  return static_cast<Relay*>(relay)->take({data, size * count});
}
size_t take_header(char* data, size_t size, size_t count, void* relay) {
  static_cast<Relay*>(relay)->take_header({data, size * count});
  return size * count;
}
int poll_cancel(void* relay, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<Relay*>(relay)->exchange.job.check() ? 0 : 1;
}

Headers headers_of(const HttpRequest& request, const UpstreamOptions& options) {
  curl_slist* list = curl_slist_append(nullptr, "Expect:");
  const auto add = [&](const std::string& name, const std::string& value) {
    if (!value.empty()) list = curl_slist_append(list, (name + ": " + value).c_str());
  };
  add("Content-Type", request.method == "POST" ? "application/json" : "");
  for (const char* name : kPassed) add(name, request.header(name));
  if (!options.key.empty())
    add("Authorization", "Bearer " + options.key);
  else
    add("Authorization", request.header("authorization"));
  return {list, curl_slist_free_all};
}

void configure(CURL* curl, const HttpRequest& request, const UpstreamOptions& options,
               Relay& relay) {
  curl_easy_setopt(curl, CURLOPT_URL, (options.url + request.path).c_str());
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);  // the key goes to no other host
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  if (request.method == "POST") {
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, static_cast<long>(request.body.size()));
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request.body.c_str());
  }
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_bytes);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &relay);
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, &relay);
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options.connect_s * 1000));
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME,
                   std::max(1L, static_cast<long>(options.timeout_s)));
  curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, poll_cancel);
  curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &relay);
}

}  // namespace

Result<std::unique_ptr<Upstream>> Upstream::make(UpstreamOptions options) {
  static const CURLcode kStarted = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (kStarted != CURLE_OK) return base::fail(Code::kInternal, "cannot start libcurl");
  std::string& url = options.url;
  const bool is_web = url.starts_with("http://") || url.starts_with("https://");
  if (!is_web || url.find_first_of("@?# \t\r\n") != url.npos)
    return base::fail(Code::kUsage,
                      fmt::format("expected an http:// or https:// address, got '{}'", url),
                      "such as http://localhost:11434 or https://api.example.com/v1");
  while (url.ends_with('/')) url.pop_back();
  if (url.ends_with("/v1")) url.resize(url.size() - 3);
  return std::unique_ptr<Upstream>(new Upstream(std::move(options)));
}

Upstream::Upstream(UpstreamOptions options)
    : options_(std::move(options)), workers_(options_.threads, options_.most_open) {}

void Upstream::handle(HttpRequest request, std::shared_ptr<Exchange> exchange) {
  const auto shared = std::make_shared<HttpRequest>(std::move(request));
  if (!workers_.run([this, shared, exchange] { relay(*shared, *exchange); }))
    exchange->send(refusal(429, "too many requests are open"));
}

void Upstream::relay(const HttpRequest& request, Exchange& exchange) const {
  // Kept by its thread, and with it the connection.
  thread_local const Handle curl(curl_easy_init(), curl_easy_cleanup);
  if (!curl) return exchange.send(refusal(503, "no memory for another connection"));
  curl_easy_reset(curl.get());
  Relay relay{curl.get(), exchange, options_.most_bytes};
  const Headers headers = headers_of(request, options_);
  configure(curl.get(), request, options_, relay);
  curl_easy_setopt(curl.get(), CURLOPT_HTTPHEADER, headers.get());
  const CURLcode code = curl_easy_perform(curl.get());
  if (exchange.job.cancelled()) return exchange.end();
  const auto failed = [&](int status, const std::string& message) {
    if (!relay.streams) return exchange.send(refusal(status, message));
    exchange.write("data: " + refusal(status, message).body + "\n");
    exchange.end();
  };
  if (relay.too_large) return failed(502, "the upstream's answer is too large");
  if (code == CURLE_OPERATION_TIMEDOUT) {
    curl_off_t connected = 0;
    curl_easy_getinfo(curl.get(), CURLINFO_CONNECT_TIME_T, &connected);
    return connected > 0 ? failed(504, "the upstream did not answer in time")
                         : failed(502, "the upstream cannot be reached");
  }
  if (code != CURLE_OK)
    return failed(502, relay.streams || !relay.response.body.empty()
                           ? "the upstream broke off its answer"
                           : "the upstream cannot be reached");
  if (relay.streams) return exchange.end();
  long status = 0;
  curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &status);
  relay.response.status = static_cast<int>(status);
  exchange.send(std::move(relay.response));
}

}  // namespace expunge::server
