#include "server/guard_agents.h"

#include <future>

#include "server/responses.h"
#include "server/scrub.h"

namespace expunge::server {

using base::Json;

guard::Ask ask_through(Handler handler, std::string model, Json besides,
                       std::map<std::string, std::string> headers) {
  return [=](std::span<const text::Message> messages,
             const base::Job& job) -> base::Result<guard::Said> {
    Json body = besides;
    body["model"] = model, body["temperature"] = 0, body["messages"] = Json::array();
    for (const text::Message& m : messages)
      body["messages"].push_back({{"role", m.role}, {"content", m.content}});
    HttpRequest request{.method = "POST",
                        .path = "/v1/chat/completions",
                        .headers = headers,
                        .body = base::dump_json(body)};
    const auto done = std::make_shared<std::promise<HttpResponse>>();
    const auto said = std::make_shared<std::atomic<bool>>(false);
    const auto tap = std::make_shared<Tap>(job);
    tap->on_response = [=](HttpResponse r) {
      if (!said->exchange(true)) done->set_value(std::move(r));
    };
    tap->on_end = [=] {
      if (!said->exchange(true)) done->set_value(refusal(502, "an agent's answer ended"));
    };
    auto response = done->get_future();
    handler(std::move(request), tap);
    while (response.wait_for(std::chrono::milliseconds(50)) != std::future_status::ready)
      TRY(job.check());
    const HttpResponse got = response.get();
    if (got.status != 200)
      return base::fail(base::Code::kUnavailable,
                        fmt::format("an agent answered HTTP {}", got.status));
    const Json clean = TRY(clean_reply(Kind::kChat, Json::parse(got.body, nullptr, false)));
    const Json& content = clean["choices"][0]["message"]["content"];
    if (!content.is_string()) return base::fail(base::Code::kUnavailable, "an agent said nothing");
    const auto tokens = [&](const char* name) -> size_t {
      return clean.contains("usage") ? clean["usage"].value(name, size_t{0}) : 0;
    };
    std::string text = content;
    if (const size_t end = text.find("</think>"); text.starts_with("<think>") && end != text.npos)
      text.erase(0, end + 8);
    return guard::Said{std::move(text), tokens("prompt_tokens"), tokens("completion_tokens")};
  };
}

}  // namespace expunge::server
