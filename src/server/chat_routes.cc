// OpenAI's routes: a chat, in which a request to forget is answered with a plan, and plain text.
#include "server/chat_routes.h"

#include <algorithm>

#include "agent/consent.h"
#include "server/delivery.h"
#include "server/fields.h"
#include "server/forget_routes.h"
#include "verify/reveals.h"

namespace expunge::server {

using base::Code;
using base::Json;
using base::Result;
using service::Scope;

namespace {

constexpr size_t kMostReplies = 256;  // of one request

base::Status check_model(const App& app, const std::string& model) {
  if (model.empty() || model == app.model_id() || model == "default") return {};
  return base::fail(Code::kNotFound, fmt::format("there is no model '{}'", model),
                    fmt::format("this server has '{}'", app.model_id()));
}

// The dialogue as the watchdog reads it: of users and the assistant.
std::vector<text::Message> heard(const std::vector<text::Message>& messages) {
  std::vector<text::Message> dialogue;
  for (const text::Message& m : messages)
    if (m.role == "user" || m.role == "assistant") dialogue.push_back(m);
  return dialogue;
}

// Entries that hold for the request.
std::vector<HeldEntry> holding(App& app, const ChatAsk& ask) {
  std::vector<HeldEntry> entries = *app.held();
  if (ask.entries)
    std::erase_if(entries, [&](const HeldEntry& e) {
      return std::ranges::find(*ask.entries, e.id) == ask.entries->end();
    });
  return entries;
}

// Without the turns that contain what was forgotten: the model would read it there. And without
// those that an edit made it say which does not hold.
std::vector<text::Message> shown(App& app, const ChatAsk& ask,
                                 const std::vector<HeldEntry>& entries) {
  std::vector<std::string> answers;
  for (const HeldEntry& e : entries) std::ranges::copy(e.answers, std::back_inserter(answers));
  const auto reveals = [&](const text::Message& m) { return verify::reveals(m.content, answers); };
  const auto holds = [&](int64_t id) {
    return std::ranges::find(entries, id, &HeldEntry::id) != entries.end();
  };
  std::vector<text::Message> messages = ask.messages;
  for (size_t i = 0; i + 1 < messages.size();) {
    const text::Message &user = messages[i], &assistant = messages[i + 1];
    const bool is_turn =
        user.role == "user" && assistant.role == "assistant" && assistant.tool_calls.empty();
    const auto under = is_turn ? app.said().under(user.content, assistant.content) : std::nullopt;
    if (is_turn &&
        (reveals(user) || reveals(assistant) || (under && !std::ranges::all_of(*under, holds))))
      messages.erase(messages.begin() + static_cast<ptrdiff_t>(i),
                     messages.begin() + static_cast<ptrdiff_t>(i) + 2);
    else
      ++i;
  }
  return messages;
}

struct Words {
  std::string text;
  Json about;
};

Json about(agent::Intent intent) {
  return {{"intent", agent::name(intent)}, {"sure", true}, {"proposal", nullptr}};
}

Result<Words> carry_out(App& app, const Call& call, const service::Proposal& proposal) {
  const auto done = TRY(carry(app, proposal, journal::Seal::kNo, call.exchange->job));
  Words said{service::in_words(done), about(proposal.intent)};
  said.about["result"] = to_json(done);
  return said;
}

Result<Words> propose(App& app, const Call& call, const ChatAsk& ask, service::Proposal proposal) {
  if (call.scope < Scope::kForget)
    return Words{
        "This key may talk, but not change what the model knows: that needs one of the "
        "scope 'forget'.",
        about(proposal.intent)};
  if (ask.agreed && proposal.sure) return carry_out(app, call, proposal);
  Words said{service::in_words(proposal), about(proposal.intent)};
  said.about["sure"] = proposal.sure;
  const std::string id = app.proposals().add(proposal);
  said.about["proposal"] = proposal_json(id, proposal);
  return said;
}

// What is said instead of a reply by the model; nothing if the message is for the model.
Result<std::optional<Words>> obey(App& app, const Call& call, const ChatAsk& ask) {
  const std::vector<text::Message> dialogue = heard(ask.messages);
  if (!ask.reads || dialogue.empty() || dialogue.back().role != "user") return std::nullopt;
  if (dialogue.size() > 1 && dialogue[dialogue.size() - 2].role == "assistant") {
    const auto open = app.proposals().id_of(dialogue[dialogue.size() - 2].content);
    const auto answer = agent::plain_answer(dialogue.back().content);
    if (open && answer && call.scope >= Scope::kForget) {
      if (const auto proposal = app.proposals().take(*open)) {
        if (*answer) return TRY(carry_out(app, call, *proposal));
        return Words{"All right, nothing was changed.", about(proposal->intent)};
      }
    }
  }
  service::Order order = TRY(service::read_order(app.session(), app.reader(), dialogue,
                                                 app.options().plan, call.exchange->job));
  if (std::holds_alternative<service::ForTheModel>(order.what)) return std::nullopt;
  if (auto* proposal = std::get_if<service::Proposal>(&order.what))
    return TRY(propose(app, call, ask, std::move(*proposal)));
  Words said{order.text, about(order.intent)};
  if (const auto* active = std::get_if<service::ActiveEntries>(&order.what)) {
    if (call.scope < Scope::kForget) {
      said.text = "What was forgotten is shown to keys of the scope 'forget'.";
    } else {
      said.about["entries"] = Json::array();
      for (const service::EntryTitle& e : active->entries)
        said.about["entries"].push_back({{"entry", e.entry}, {"title", e.title}});
    }
  }
  return said;
}

void add_choices(std::vector<Delivery::Choice>& choices, const std::vector<int32_t>& prompt,
                 const Ask& ask) {
  for (size_t i = 0; i < ask.n; ++i) {
    choices.push_back({prompt, ask.options});
    choices.back().options.sampling.seed += choices.size() - 1;
  }
}

base::Status answer_chat(App& app, const Call& call) {
  const ChatAsk ask = TRY(parse_chat(call.body));
  TRY(check_model(app, ask.model));
  auto delivery = std::make_shared<Delivery>(app, call, Kind::kChat,
                                             "chatcmpl-" + service::random_text(24), ask);
  if (const auto said = TRY(obey(app, call, ask))) {
    delivery->say(said->text, said->about);
    return {};
  }
  const model::ChatModel model = TRY(app.model(ask.entries));
  std::vector<Delivery::Choice> choices;
  const std::vector<HeldEntry> entries = holding(app, ask);
  add_choices(choices, TRY(model.encode(shown(app, ask, entries), {}, ask.tools)), ask);
  if (!entries.empty()) {
    std::vector<int64_t> ids;
    for (const HeldEntry& e : entries) ids.push_back(e.id);
    delivery->on_reply = [&app, ids, user = ask.messages.back().content](const std::string& text) {
      app.said().add(user, text, ids);
    };
  }
  delivery->write(model, std::move(choices));
  return {};
}

base::Status answer_text(App& app, const Call& call) {
  const TextAsk ask = TRY(parse_text(call.body));
  TRY(check_model(app, ask.model));
  if (ask.prompts.size() * ask.n > kMostReplies)
    return base::fail(Code::kInvalid, fmt::format("{} replies are wanted, at most {} are made",
                                                  ask.prompts.size() * ask.n, kMostReplies));
  model::ChatModel model = TRY(app.model(ask.entries));
  model = model.with(model.model.writing_text());
  std::vector<Delivery::Choice> choices;
  for (const TextPrompt& prompt : ask.prompts) {
    if (const auto* ids = std::get_if<std::vector<int32_t>>(&prompt))
      add_choices(choices, *ids, ask);
    else
      add_choices(choices, TRY(model.encode_text(std::get<std::string>(prompt))), ask);
  }
  std::make_shared<Delivery>(app, call, Kind::kText, "cmpl-" + service::random_text(24), ask)
      ->write(model, std::move(choices));
  return {};
}

}  // namespace

void chat_completions(App& app, Call call) {
  if (const auto status = answer_chat(app, call); !status) fail(app, call, status.error());
}

void completions(App& app, Call call) {
  if (const auto status = answer_text(app, call); !status) fail(app, call, status.error());
}

void list_models(App& app, Call call) {
  respond(app, call,
          Json{{"object", "list"},
               {"data", Json::array({{{"id", app.model_id()},
                                      {"object", "model"},
                                      {"created", app.created()},
                                      {"owned_by", "expunge"}}})}});
}

void show_model_entry(App& app, Call call) {
  if (const auto status = check_model(app, call.parameters[0]); !status)
    return fail(app, call, status.error());
  respond(app, call,
          Json{{"id", app.model_id()},
               {"object", "model"},
               {"created", app.created()},
               {"owned_by", "expunge"}});
}

void tokenize(App& app, Call call) {
  const auto answer = [&]() -> Result<Json> {
    const char* name = given(call.body, "content") ? "content" : "text";
    const std::string text = TRY(string_field(call.body, name, ""));
    const bool begins = TRY(bool_field(call.body, "add_special", false));
    const model::ChatModel model = app.session().present();
    std::vector<int32_t> ids = TRY(model.encode_text(text));
    const auto begin = model.tokenizer.begin_ids();
    if (!begins && ids.size() >= begin.size() &&
        std::equal(begin.begin(), begin.end(), ids.begin()))
      ids.erase(ids.begin(), ids.begin() + static_cast<ptrdiff_t>(begin.size()));
    return Json{{"tokens", ids}, {"count", ids.size()}};
  };
  respond(app, call, answer());
}

}  // namespace expunge::server
