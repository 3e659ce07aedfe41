// Bodies that every route shares: JSON, errors as OpenAI's clients understand them, events.
#pragma once

#include <string>
#include <string_view>

#include "base/json.h"
#include "server/http.h"

namespace expunge::server {

HttpResponse json_response(const base::Json& json);
HttpResponse error_response(const base::Error& error);
// What has a status of HTTP's own, and no code of ours: 401, 404, 429, 502, …
HttpResponse refusal(int status, const std::string& message, const std::string& hint = "");
// One event of a stream; `name` "" for OpenAI's, which have none.
std::string event(std::string_view name, const base::Json& data);

}  // namespace expunge::server
