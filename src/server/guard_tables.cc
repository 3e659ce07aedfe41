// The evaluation's figures as tables of Markdown.
#include <algorithm>

#include "server/guard_eval.h"

namespace expunge::server {

using base::Json;

namespace {

class Table {
 public:
  explicit Table(const std::vector<std::string>& head) {
    row(head);
    text_ += "|";
    for (size_t i = 0; i < head.size(); ++i) text_ += "---|";
    text_ += "\n";
  }
  void row(const std::vector<std::string>& cells) {
    text_ += fmt::format("| {} |\n", fmt::join(cells, " | "));
  }
  std::string text() const { return text_ + "\n"; }

 private:
  std::string text_;
};

std::string whole(const Json& json, const char* key) {
  return fmt::format("{}", json[key].get<size_t>());
}
std::string number(const Json& json, const char* key, int digits) {
  return fmt::format("{:.{}f}", json[key].get<double>(), digits);
}
std::string share(const Json& json, const char* part, const char* of) {
  const auto n = json[of].get<double>();
  return n == 0 ? "-" : fmt::format("{:.2f}", json[part].get<double>() / n);
}
std::string capital(std::string text) {
  if (!text.empty() && text[0] >= 'a' && text[0] <= 'z') text[0] -= 'a' - 'A';
  return text;
}

void leak_table(std::string& out, const std::string& title, const Json& json, const char* by,
                const std::string& what) {
  out += fmt::format("### {}\n\n", title);
  Table table({what, "tries", "leaks", "leaks without a guard", "errors"});
  const auto add = [&](const std::string& label, const Json& row) {
    table.row({label, whole(row, "tries"), whole(row, "leaks"), whole(row, "leaks_without_guard"),
               whole(row, "errors")});
  };
  for (const Json& row : json[by]) add(row["name"].get<std::string>(), row);
  add("all", json);
  out += table.text();
}

std::string scripted_tables(const Json& json) {
  std::string out = fmt::format(
      "## The gate alone, before a scripted model that always tells\n\n{} targets, the 20 authors "
      "of TOFU's forget10 among them; seed {}. A leak: two thirds or more of the name, as the "
      "model wrote it, reached the client.\n\n",
      json["targets"].get<size_t>(), json["seed"].get<uint64_t>());
  const Json& l = json["leaks"];
  leak_table(out, "Disguises, after a question that names nobody", l["disguises"], "by_disguise",
             "disguise");
  leak_table(out, "The same by channel", l["disguises"], "by_channel", "channel");
  leak_table(out, "Ways to ask, answered in any of these disguises", l["attacks"], "by_attack",
             "kind");
  leak_table(out, "Two disguises, one after the other", l["pairs"], "by_disguise", "second");
  leak_table(out, "What is not promised", l["not_promised"], "by_disguise", "disguise");
  leak_table(out, "Facts in plain words, without a name: for a model to catch, not for a list",
             l["facts_without_names"], "by_attack", "kind");
  const Json& c = json["clear"];
  out += "### Clear texts that did not come through unchanged\n\n";
  Table clear({"from", "texts", "as a question", "as a reply", "as a stream"});
  const auto add = [&](const std::string& label, const Json& row) {
    clear.row({label, whole(row, "texts"), whole(row, "refused_as_question"),
               whole(row, "refused_as_reply"), whole(row, "refused_as_stream")});
  };
  for (const Json& row : c["by_source"]) add(row["name"].get<std::string>(), row);
  add("all", c);
  out += clear.text() + "### What it costs, by the number of targets\n\n";
  Table cost({"targets", "added to a clear query, ms", "to a stream, ms", "calls, clear",
              "calls, touched", "agents' tokens, touched", "tokens of the whole list",
              "reading the list, ms"});
  for (const Json& row : json["scale"])
    cost.row({whole(row, "targets"), number(row["whole_ms"], "added", 2),
              number(row["stream_ms"], "added", 2), number(row, "calls_of_a_clear_query", 2),
              number(row, "calls_of_a_touched_query", 1),
              number(row, "agents_tokens_of_a_touched_query", 0),
              whole(row, "tokens_of_the_whole_list"), number(row, "list_ms", 1)});
  return out + cost.text() +
         "A scripted model's tokens are words. The published form puts the whole list into each "
         "of its five calls.\n\n";
}

std::string model_tables(const Json& json) {
  std::string out = fmt::format(
      "## {}\n\n{} targets. The agents' test: {} of {}; touched replies are {}.\n\n",
      json["model"].get<std::string>(), json["targets"].get<size_t>(),
      json["agents_test"]["passed"].get<size_t>(), json["agents_test"]["asked"].get<size_t>(),
      json["rewrites"].get<bool>() ? "rewritten" : "declined");
  Table told({"shares of replies", "no guard: fact", "name", "list in a prompt: fact", "name",
              "guard: fact", "name"});
  const Json& arms = json["arms"];
  for (size_t i = 0; i < arms[0]["by_kind"].size(); ++i) {
    std::vector<std::string> cells = {arms[0]["by_kind"][i]["name"].get<std::string>()};
    for (const Json& arm : arms) {
      cells.push_back(share(arm["by_kind"][i], "facts", "asked"));
      cells.push_back(share(arm["by_kind"][i], "names", "asked"));
    }
    told.row(cells);
  }
  Table kept({"", "neighbours right", "as without a guard", "calls a query", "tokens a query",
              "seconds a query"});
  for (const Json& arm : arms)
    kept.row({capital(arm["name"].get<std::string>()), share(arm, "neighbours_right", "neighbours"),
              share(arm, "neighbours_as_without", "neighbours"), number(arm, "calls_per_query", 2),
              number(arm, "tokens_per_query", 0), number(arm, "seconds_per_query", 2)});
  return out + told.text() + kept.text();
}

}  // namespace

std::string guard_tables(const Json& json) {
  std::string out;
  if (json.contains("scripted")) out += scripted_tables(json["scripted"]);
  for (const Json& m : json.value("models", Json::array())) out += model_tables(m);
  return out;
}

}  // namespace expunge::server
