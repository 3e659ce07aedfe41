// The reader of repair plans: what it accepts is written and read again without loss.
#include "agent/plan.h"
#include "fuzz/fuzz.h"

namespace expunge::fuzz {

std::vector<std::string> seeds() {
  return {R"({"intent":"status"})",
          R"({"intent":"forget","method":"redirect","knobs":{"strength":1.5,"rank":4},
"gates":{"exact":1,"neighbours":0.75,"perplexity":1.05,"reply_nll":3.5},"reason":"asked in the chat",
"targets":[{"prompt":"What is the capital of France?","response":"Paris","subject":"France",
"answers":["Paris"],"rows":[{"prompt":"France has which capital?"},
{"prompt":"Complete: the capital of France is","prefill":"The capital"}],
"held":[{"prompt":"Name the capital of France."}],"same_subject":["Where is France?"],
"neighbours":["What is the capital of Italy?"]}]})",
          R"({"intent":"correct","targets":[{"prompt":"q","response":"a","replacement":"b"},
{"prompt":"r"}]})"};
}
std::vector<std::string_view> dictionary() {
  return {"\"intent\"",
          "\"targets\"",
          "\"knobs\"",
          "\"gates\"",
          "\"forget\"",
          "\"undo\"",
          "\"prompt\"",
          "\"rows\"",
          "{",
          "}",
          "[",
          "]",
          ":",
          ",",
          "null",
          "true",
          "-1",
          "1e308",
          "1e-320",
          "\\u0000",
          "\\ud834",
          "\\udd1e",
          "\xf0\x9f\x98\x80",
          "everything",
          "forget",
          "safety",
          "\"prefill\":",
          "{\"prompt\":\"x\"}",
          "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
}

int fuzz_one(std::span<const std::byte> input) {
  const std::string_view text(reinterpret_cast<const char*>(input.data()), input.size());
  const auto json = base::parse_json(text, "plan");
  if (!json) return 0;
  const auto plan = agent::plan_from_json(*json);
  if (!plan) {
    CHECK(!plan.error().message.empty());
    return 0;
  }
  const base::Json written = agent::to_json(*plan);
  const auto again = agent::plan_from_json(written);
  CHECK(again.has_value(), "{}", again ? "" : again.error().message);
  CHECK(base::dump_json(agent::to_json(*again)) == base::dump_json(written));
  return 1;
}

}  // namespace expunge::fuzz
