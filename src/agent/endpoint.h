// Watchdog and surgeon at an OpenAI-compatible endpoint (POST …/v1/chat/completions).
//
// What comes back is data: bounded in size and time, parsed strictly, validated like any other
// plan. Nothing in it is ever run.
#pragma once

#include "agent/surgeon/surgeon.h"
#include "agent/watchdog/watchdog.h"

namespace expunge::agent {

struct Endpoint {
  std::string url;  // "http://localhost:8080", with or without /v1 or the whole path
  std::string model = "default";
  std::string api_key;  // "" = none is sent
  double timeout_s = 60;
  size_t max_bytes = 1 << 20;  // of the answer
};
// The key is $EXPUNGE_API_KEY, else $OPENAI_API_KEY. Errors: the URL is neither http nor https.
base::Result<Endpoint> endpoint_from_url(const std::string& url);

// The content of the assistant's answer. Errors: kUnavailable (unreachable, timed out, HTTP
// status), kInvalid (not that JSON, too large), kCancelled.
base::Result<std::string> chat(const Endpoint& endpoint, std::span<const text::Message> messages,
                               const base::Job& job = {});

// The JSON object of an answer, which may be wrapped in a code fence.
base::Result<base::Json> json_answer(std::string_view content, std::string_view what);

base::Result<Reading> ask_watchdog(const Endpoint& endpoint,
                                   std::span<const text::Message> dialogue,
                                   const base::Job& job = {});

// A plan that passes plan_from_json and has the requests' intent and prompts. One retry with the
// validator's error; then that error.
base::Result<Plan> ask_surgeon(const Endpoint& endpoint, std::span<const Request> requests,
                               Intent intent, const base::Job& job = {});

}  // namespace expunge::agent
