#include "server/door.h"

#include <algorithm>

#include "server/responses.h"

namespace expunge::server {

using base::Code;
using base::Result;
using base::Status;
using service::Scope;
using Admitted = tl::expected<Scope, HttpResponse>;

namespace {

std::string without_port(const std::string& host) {
  const size_t colon = host.rfind(':');
  return colon == host.npos || host.ends_with(']') ? host : host.substr(0, colon);
}

}  // namespace

Door::Door(service::Keys keys, bool is_loopback, std::vector<std::string> hosts)
    : is_loopback_(is_loopback), hosts_(std::move(hosts)), keys_(std::move(keys)) {}

Status Door::check_origin(const HttpRequest& request) const {
  const std::string host = request.header("host"), name = without_port(host);
  if (is_loopback_) {
    const bool known = name == "localhost" || name == "127.0.0.1" || name == "[::1]" ||
                       std::ranges::find(hosts_, name) != hosts_.end();
    if (!known)
      return base::fail(Code::kRefused, fmt::format("this server is not '{}'", name),
                        "use 127.0.0.1 or localhost, or start it with --allow-host NAME");
  }
  const std::string origin = request.header("origin");
  if (!origin.empty() && origin != "http://" + host && origin != "https://" + host)
    return base::fail(Code::kRefused, "requests from pages of other origins are refused");
  return {};
}

Result<bool> Door::has_keys() {
  const std::lock_guard lock(mutex_);
  TRY(keys_.refresh());
  return !keys_.empty();
}

Admitted Door::admit(const HttpRequest& request, Scope needed) {
  const auto keys = has_keys();
  if (!keys) return tl::unexpected(error_response(keys.error()));
  if (!*keys && is_loopback_) return Scope::kAdmin;
  return admit_key(request, needed);
}

Admitted Door::admit_key(const HttpRequest& request, Scope needed) {
  const auto keys = has_keys();
  if (!keys) return tl::unexpected(error_response(keys.error()));
  constexpr std::string_view kBearer = "Bearer ";
  const std::string header = request.header("authorization");
  std::optional<Scope> scope;
  if (header.size() > kBearer.size() && header.starts_with(kBearer)) {
    const std::lock_guard lock(mutex_);
    scope = keys_.scope_of(std::string_view(header).substr(kBearer.size()));
  }
  if (!scope)
    return tl::unexpected(
        refusal(401, header.empty() ? "a key is needed" : "this key is not known",
                "send 'Authorization: Bearer KEY'; 'expunge key create' makes one"));
  if (*scope < needed)
    return tl::unexpected(error_response({Code::kRefused,
                                          fmt::format("this key's scope is '{}', this needs '{}'",
                                                      service::name(*scope), service::name(needed)),
                                          "'expunge key create --scope' makes another key",
                                          {}}));
  return *scope;
}

}  // namespace expunge::server
