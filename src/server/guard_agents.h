// The guard's agents as clients of a handler.
#pragma once

#include <map>
#include <string>

#include "base/json.h"
#include "guard/auditor.h"
#include "server/http.h"

namespace expunge::server {

// Each call is a chat completion of `model` with these fields besides. Errors: kUnavailable: any
// other answer than a reply with words; kCancelled.
guard::Ask ask_through(Handler handler, std::string model, base::Json besides,
                       std::map<std::string, std::string> headers);

}  // namespace expunge::server
