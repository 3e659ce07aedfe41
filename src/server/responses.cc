#include "server/responses.h"

#include "server/openai.h"

namespace expunge::server {

using base::Json;

namespace {

HttpResponse with_status(const base::Error& error, int status) {
  HttpResponse response;
  response.status = status;
  response.body = base::dump_json(error_json(error, status)) + "\n";
  if (status == 503 || status == 429) response.headers["Retry-After"] = "1";
  if (status == 401) response.headers["WWW-Authenticate"] = "Bearer";
  return response;
}

}  // namespace

HttpResponse json_response(const Json& json) { return {.body = base::dump_json(json) + "\n"}; }

HttpResponse error_response(const base::Error& error) {
  return with_status(error, base::code_info(error.code).http_status);
}

HttpResponse refusal(int status, const std::string& message, const std::string& hint) {
  const base::Code code = status >= 500 ? base::Code::kUnavailable : base::Code::kInvalid;
  return with_status({code, message, hint, {}}, status);
}

std::string event(std::string_view name, const Json& data) {
  return fmt::format("{}data: {}\n\n", name.empty() ? "" : fmt::format("event: {}\n", name),
                     base::dump_json(data));
}

}  // namespace expunge::server
