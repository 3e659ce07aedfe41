// Another server that speaks OpenAI's API: requests go to it, its answers come back as they arrive.
#pragma once

#include <memory>
#include <string>

#include "server/http.h"
#include "server/workers.h"

namespace expunge::server {

struct UpstreamOptions {
  std::string url;         // the operator's: "https://api.example.com", with or without /v1
  std::string key = {};    // sent in place of the request's own Authorization; "" = that goes along
  double timeout_s = 120;  // without a byte
  double connect_s = 5;
  size_t most_bytes = 32 << 20;  // of an answer that is no stream
  size_t threads = 64, most_open = 256;
};

class Upstream {
 public:
  // Errors: kUsage: the URL is neither http nor https, or has a user, a query or a fragment.
  static base::Result<std::unique_ptr<Upstream>> make(UpstreamOptions options);

  // The answer keeps its status and body; of its headers the type and Retry-After. Else 502
  // (cannot be reached, too large), 504 (too slow), 429 (too many are open here).
  void handle(HttpRequest request, std::shared_ptr<Exchange> exchange);

 private:
  explicit Upstream(UpstreamOptions options);
  void relay(const HttpRequest& request, Exchange& exchange) const;
  const UpstreamOptions options_;
  Workers workers_;
};

}  // namespace expunge::server
