// The table of routes.
#include "server/app.h"
#include "server/chat_routes.h"
#include "server/forget_routes.h"
#include "server/openapi.h"
#include "server/page.h"

namespace expunge::server {

using service::Scope;

namespace {

// Of both of OpenAI's routes.
std::vector<BodyField> sampled(std::vector<BodyField> own) {
  const BodyField shared[] = {
      {"model", "string", "its name, or \"default\""},
      {"max_tokens", "integer", "new tokens at most"},
      {"temperature", "number", "0: greedy, the default"},
      {"top_p", "number", "nucleus"},
      {"top_k", "integer", "the likeliest alone; 0: all"},
      {"min_p", "number", "relative to the likeliest"},
      {"repetition_penalty", "number", "of tokens that are there already; 1: none"},
      {"seed", "integer", "the same seed, the same reply"},
      {"n", "integer", "replies to each prompt, 1 to 16"},
      {"stop", "", "a string or a list: a reply ends before it"},
      {"stream", "boolean", "server-sent events"},
      {"stream_options", "object", "include_usage"},
      {"expunge_entries", "", "entries that hold: a list, \"none\" or \"all\""}};
  own.insert(own.end(), std::begin(shared), std::end(shared));
  return own;
}

}  // namespace

std::vector<Route> routes() {
  using enum Route::Runs;
  std::vector<Route> table = {
      {"POST", "/v1/chat/completions", Scope::kChat,
       "A reply to a conversation; a request to forget is answered with a plan", kReading,
       chat_completions,
       sampled({{"messages", "array", "role and content of each"},
                {"max_completion_tokens", "integer", "as max_tokens"},
                {"logprobs", "boolean", "of each token"},
                {"top_logprobs", "integer", "and of so many likeliest, 0 to 20"},
                {"tools", "array", "for the chat template"},
                {"expunge", "object",
                 "read: false has the model reply in any case; yes: true carries "
                 "out what is asked for, if the reading is sure"}})},
      {"POST", "/v1/completions", Scope::kChat, "A text goes on", kReading, completions,
       sampled({{"prompt", "", "texts, or lists of token ids"},
                {"echo", "boolean", "the prompt comes first; with max_tokens 0 alone"},
                {"logprobs", "integer", "of each token and of so many likeliest, 0 to 20"}})},
      {"GET", "/v1/models", Scope::kChat, "The model that is served", kAtOnce, list_models},
      {"GET", "/v1/models/{}", Scope::kChat, "The same by its name", kAtOnce, show_model_entry},
      {"POST",
       "/tokenize",
       Scope::kChat,
       "Token ids of a text",
       kAtOnce,
       tokenize,
       {{"content", "string", "the text"},
        {"add_special", "boolean", "with the token that begins a text"}}},
      {"GET", "/v1/expunge/model", Scope::kChat, "Model, memory, number of edits", kAtOnce,
       show_model},
      {"GET", "/v1/expunge/methods", Scope::kChat, "Methods with their knobs, gates with bounds",
       kAtOnce, show_methods},
      {"POST", "/v1/expunge/plans", Scope::kForget, "Plans for words or questions; nothing changes",
       kReading, make_plans},
      {"POST",
       "/v1/expunge/requests",
       Scope::kForget,
       "Carries out a proposal or a plan",
       kChanging,
       carry_request,
       {{"proposal", "string", "its id"},
        {"plan", "object", "instead: docs/plan.schema.json"},
        {"seal", "boolean", "its words are not kept"}}},
      {"DELETE", "/v1/expunge/proposals/{}", Scope::kForget, "Declines a proposal", kAtOnce,
       decline_proposal},
      {"GET", "/v1/expunge/entries", Scope::kForget, "What was forgotten and undone", kAtOnce,
       list_entries},
      {"GET", "/v1/expunge/entries/{}", Scope::kForget, "An entry with its evidence", kAtOnce,
       show_entry},
      {"POST", "/v1/expunge/entries/{}/undo", Scope::kForget, "Takes an edit back", kChanging,
       undo_entry},
      {"POST", "/v1/expunge/entries/{}/verify", Scope::kForget, "Asks an entry's gates again",
       kChanging, verify_entry},
      {"POST", "/v1/expunge/entries/{}/seal", Scope::kForget,
       "Takes an entry's words out of the journal", kChanging, seal_entry},
      {"POST",
       "/v1/expunge/export",
       Scope::kAdmin,
       "Writes the edited model, checked",
       kChanging,
       export_model,
       {{"format", "string", "gguf, safetensors or peft"},
        {"quant", "string", "type of the weights"},
        {"out", "string", "a plain file name"}}},
      {"GET", "/v1/expunge/events", Scope::kForget, "A stream: the ledger has changed", kAtOnce,
       listen_to_events},
      {"GET", "/metrics", Scope::kChat, "Counters for Prometheus", kAtOnce, show_metrics},
      {"GET", "/health", std::nullopt, "Whether it runs", kAtOnce, show_health},
      {"GET", "/openapi.json", std::nullopt, "This table", kAtOnce, show_openapi},
  };
  for (const PageFile& file : page_files())
    table.push_back({"GET", file.path, std::nullopt, "The page", kAtOnce, show_page});
  return table;
}

}  // namespace expunge::server
