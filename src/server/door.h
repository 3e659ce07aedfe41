// Who may come in: names that this server goes by, pages of its own, keys and their scopes.
#pragma once

#include <mutex>
#include <string>
#include <vector>

#include "server/http.h"
#include "service/keys.h"

namespace expunge::server {

class Door {
 public:
  // `hosts`: names that requests may have in Host besides this machine's, without the port.
  Door(service::Keys keys, bool is_loopback, std::vector<std::string> hosts);

  // Against pages of other origins: those that send requests here, and those whose name was made
  // to point here (DNS rebinding). Errors: kRefused.
  base::Status check_origin(const HttpRequest& request) const;
  // The scope of the request's key, at least `needed`; else the response that says no. Where only
  // this machine can reach the server and no key exists, everybody is an administrator.
  tl::expected<service::Scope, HttpResponse> admit(const HttpRequest& request,
                                                   service::Scope needed);
  // As admit, but there must be a key: what clients on this machine may not do either.
  tl::expected<service::Scope, HttpResponse> admit_key(const HttpRequest& request,
                                                       service::Scope needed);
  base::Result<bool> has_keys();

 private:
  const bool is_loopback_;
  const std::vector<std::string> hosts_;
  std::mutex mutex_;
  service::Keys keys_;
};

}  // namespace expunge::server
