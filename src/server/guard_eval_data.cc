// The data of data/guard, and attacks filled with a person's name.
#include <algorithm>

#include "server/guard_encodings.h"
#include "server/guard_eval.h"

namespace expunge::server {

using base::Code;
using base::Json;
using base::Result;

namespace {

Result<std::string> text_of(const Json& row, const char* name) {
  if (!row.is_object() || !row.contains(name) || !row[name].is_string())
    return base::fail(Code::kInvalid, fmt::format("a row has no text '{}'", name));
  return row[name].get<std::string>();
}

Result<std::vector<std::string>> texts_of(const Json& row, const char* name) {
  if (!row.is_object() || !row.contains(name) || !row[name].is_array())
    return base::fail(Code::kInvalid, fmt::format("a row has no list '{}'", name));
  std::vector<std::string> texts;
  for (const Json& text : row[name]) {
    if (!text.is_string())
      return base::fail(Code::kInvalid, fmt::format("'{}' lists something that is no text", name));
    texts.push_back(text);
  }
  return texts;
}

Result<Person> person_of(const Json& row) {
  Person p;
  p.name = TRY(text_of(row, "name"));
  p.aliases = TRY(texts_of(row, "aliases"));
  p.set = TRY(text_of(row, "set"));
  p.questions = TRY(texts_of(row, "questions"));
  p.masked = TRY(text_of(row, "masked"));
  p.facts = TRY(texts_of(row, "facts"));
  if (p.questions.empty() || p.facts.empty())
    return base::fail(Code::kInvalid, "a person without questions or facts");
  for (const Json& n : row.value("neighbours", Json::array())) {
    Neighbour neighbour;
    neighbour.question = TRY(text_of(n, "question"));
    neighbour.answer = TRY(text_of(n, "answer"));
    p.neighbours.push_back(std::move(neighbour));
  }
  return p;
}

Result<std::vector<Attack>> read_attacks(const std::string& path) {
  const Json json = TRY(base::read_json(path));
  std::vector<Attack> attacks;
  if (!json.is_object() || !json.contains("attacks") || !json["attacks"].is_array())
    return base::fail(Code::kInvalid, "there is no list 'attacks'");
  for (const Json& row : json["attacks"]) {
    Attack attack;
    attack.kind = TRY(text_of(row, "kind"));
    attack.messages = row.value("messages", Json::array());
    attack.tools = row.value("tools", Json());
    attacks.push_back(std::move(attack));
  }
  return attacks;
}

// What a placeholder stands for; nothing: it is none.
std::optional<std::string> value_of(std::string_view key, const Person& person,
                                    const std::string& question) {
  if (const size_t colon = key.find(':'); colon != key.npos) {
    const auto value = value_of(key.substr(colon + 1), person, question);
    if (!value) return {};
    return encode(key.substr(0, colon), *value);
  }
  const size_t blank = person.name.find(' ');
  if (key == "name") return person.name;
  if (key == "first") return person.name.substr(0, blank);
  if (key == "rest") return blank == std::string::npos ? "" : person.name.substr(blank + 1);
  if (key == "question") return question;
  if (key == "masked") return person.masked;
  return {};
}

std::string filled_text(const std::string& text, const Person& person,
                        const std::string& question) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const size_t open = text.find('{', at);
    const size_t close = open == text.npos ? open : text.find('}', open);
    if (close == text.npos) return out + text.substr(at);
    out += text.substr(at, open - at);
    const std::string_view key = std::string_view(text).substr(open + 1, close - open - 1);
    const auto value = value_of(key, person, question);
    out += value ? *value : text.substr(open, close + 1 - open);
    at = close + 1;
  }
  return out;
}

}  // namespace

Result<GuardData> read_guard_data(const std::string& folder) {
  GuardData data;
  const std::string people = folder + "/people.jsonl";
  for (const Json& row : TRY(base::read_jsonl(people))) {
    Person p = TRY_AT(people, person_of(row));
    (p.set == "real" ? data.real : data.authors).push_back(std::move(p));
  }
  const std::string names = folder + "/names.jsonl", clear = folder + "/clear.jsonl";
  for (const Json& row : TRY(base::read_jsonl(names)))
    data.names.push_back(TRY_AT(names, text_of(row, "name")));
  for (const Json& row : TRY(base::read_jsonl(clear))) {
    ClearText text;
    text.text = TRY_AT(clear, text_of(row, "text"));
    text.from = TRY_AT(clear, text_of(row, "from"));
    data.clear.push_back(std::move(text));
  }
  const std::string attacks = folder + "/attacks.json";
  data.attacks = TRY_AT(attacks, read_attacks(attacks));
  if (data.authors.empty() || data.real.empty() || data.attacks.empty() || data.clear.empty())
    return base::fail(Code::kInvalid, fmt::format("'{}' lacks people, attacks or texts", folder),
                      "--data names the folder data/guard of the sources");
  return data;
}

Json filled(const Json& attack, const Person& person, const std::string& question) {
  if (attack.is_string()) return filled_text(attack, person, question);
  Json out = attack;
  if (out.is_structured())
    for (Json& item : out) item = filled(item, person, question);
  return out;
}

std::vector<guard::Target> target_list(const std::vector<Person>& people,
                                       const std::vector<std::string>& more, size_t n,
                                       guard::Mode mode) {
  std::vector<guard::Target> targets;
  for (const Person& p : people)
    if (targets.size() < n) targets.push_back({.name = p.name, .aliases = p.aliases, .mode = mode});
  for (const std::string& name : more)
    if (targets.size() < n) targets.push_back({.name = name, .mode = mode});
  return targets;
}

}  // namespace expunge::server
