// What the service returns has, as JSON, the keys that docs/commands.md lists, and no others.
#include "service/json.h"

#include <algorithm>

#include "base/files.h"
#include "service/planted_test.h"

namespace expunge::service {
namespace {

using base::Json;
using verify::Detail;

// A key, as a path ("edited[].tensor"), and the rest of its row.
using Keys = std::map<std::string, std::string>;

// The first table of keys under a heading.
Keys documented(const std::string& heading) {
  static const std::string page = base::read_file(EXPUNGE_SOURCE_DIR "/docs/commands.md").value();
  Keys keys;
  size_t at = page.find("\n" + heading + "\n");
  CHECK(at != page.npos, "no heading '{}'", heading);
  at = page.find("\n| key |", at);
  CHECK(at != page.npos, "no keys under '{}'", heading);
  for (size_t line = at + 1; page[line] == '|'; line = page.find('\n', line) + 1) {
    if (!page.substr(line).starts_with("| `")) continue;
    const size_t end = page.find('`', line + 3);
    keys[page.substr(line + 3, end - line - 3)] = page.substr(end, page.find('\n', line) - end);
  }
  return keys;
}

// The keys of a row's value are in another table.
bool linked(const Keys& keys, const std::string& path) {
  return std::ranges::any_of(std::array{path, path + "[]"}, [&](const std::string& key) {
    return keys.contains(key) && keys.at(key).find("](#") != std::string::npos;
  });
}

void expect_keys(const Json& json, const Keys& keys, const std::string& at = "") {
  for (const auto& [key, value] : json.items()) {
    const std::string path = at + key, inner = path + (value.is_array() ? "[]." : ".");
    EXPECT_TRUE(keys.contains(path)) << path << " is not documented";
    const auto below = keys.lower_bound(inner);
    if (linked(keys, path) || below == keys.end() || !below->first.starts_with(inner)) continue;
    if (value.is_object() && !value.empty()) expect_keys(value, keys, inner);
    if (value.is_array())
      for (const Json& element : value) expect_keys(element, keys, inner);
  }
  for (const auto& [path, row] : keys) {
    const std::string own = path.starts_with(at) ? path.substr(at.size()) : ".";
    if (own.find_first_of(".[") != own.npos || row.find("only") != row.npos) continue;
    EXPECT_TRUE(json.contains(own)) << path << " is missing";
  }
}

class JsonOfResults : public PlantedTest {};

TEST_F(JsonOfResults, OfRequestsAndUndo) {
  const auto session = open();
  const repair::Outcome first = forget(*session, 0, 1), second = forget(*session, 0, 2);
  for (const Detail detail : {Detail::kFigures, Detail::kItems}) {
    const Json json = to_json(second, detail);
    expect_keys(json, documented("## Outcome"));
    for (const char* key : {"before", "after"}) {
      expect_keys(json[key], documented("## Report"));
      for (const Json& gate : json[key]["gates"]) expect_keys(gate, documented("## Gate"));
      EXPECT_EQ(json[key]["gates"][0].contains("items"), detail == Detail::kItems);
    }
    ASSERT_EQ(json["earlier"].size(), 1);
    expect_keys(json["earlier"][0], documented("## Recheck"));
    expect_keys(json["seconds"], documented("## Seconds"));
    ASSERT_EQ(json["search"].size(), 1);
    for (const Json& tried : json["search"][0]) expect_keys(tried, documented("## Search"));
  }
  Keys keys = documented("## Outcome");
  keys.merge(documented("## forget"));
  agent::Plan plan;
  plan.targets.push_back({.prompt = question(0, 1), .response = answer(0, 1)});
  const Json carried = to_json(Carried{plan, first}, Detail::kFigures);
  expect_keys(carried, keys);
  EXPECT_EQ(carried["targets"], Json({{{"prompt", question(0, 1)}, {"response", answer(0, 1)}}}));
  EXPECT_EQ(to_json(Carried{plan, {}}, Detail::kFigures),
            (Json{{"verdict", "declined"}, {"entry", 0}}));

  const Undone undone = session->undo(1).value();
  const Json json = to_json(undone);
  expect_keys(json, documented("## Undone"));
  ASSERT_EQ(json["others"].size(), 1);
  expect_keys(json["others"][0], documented("## Recheck"));

  for (const Turn& turn : {Turn{"Hello", "Hi.", agent::Intent::kNone, Replied{}},
                           Turn{"Forget it.", "Done.", agent::Intent::kForget, Forgot{first}},
                           Turn{"Undo it.", "Done.", agent::Intent::kUndo, undone}})
    expect_keys({{"turns", {to_json(turn)}}}, documented("## chat"));
}

TEST_F(JsonOfResults, OfTheJournalAndWhatReadsItAgain) {
  const auto session = open();
  forget(*session, 0, 1);
  ASSERT_TRUE(session->undo(1));
  forget(*session, 0, 2);
  const Json set = {{"items", 1}, {"sha256", "s"}};
  add_trained(*session, grown(*session, 0.01), {{"forget", set}, {"retain", set}},
              {{"forget_prob", 0.1}});
  const Log log =
      session->with_journal([](const journal::Journal& j) { return read_log(j); }).value();
  const Json json = to_json(log);
  expect_keys(json, documented("## log"));
  ASSERT_EQ(json["entries"].size(), 4);
  // A training's request and report have other keys, of which the table says so.
  for (size_t i = 0; i < 3; ++i) expect_keys(json["entries"][i], documented("## Entry"));
  EXPECT_EQ(json["entries"][0]["undone_by"], 2);
  EXPECT_EQ(json["entries"][1]["undoes"], 1);
  EXPECT_EQ(json["active"], Json({3, 4}));

  const Json verified = to_json(verify(*session, {}, base::Job()).value(), Detail::kItems);
  expect_keys(verified, documented("## verify"));
  EXPECT_EQ(verified["trained"], 1);
  Keys keys = documented("## Report");
  keys["entry"] = "";
  ASSERT_EQ(verified["entries"].size(), 1);
  expect_keys(verified["entries"][0], keys);
  const Replayed replayed = replay({model(), path("journal.db")}, base::Job()).value();
  expect_keys(to_json(replayed), documented("## replay"));
  EXPECT_EQ(to_json(replayed)["active"], 2);
}

TEST_F(JsonOfResults, OfExports) {
  const auto session = open();
  forget(*session, 0, 1);
  publish::ExportOptions options;
  options.path = path("out.gguf");
  const Json json = to_json(export_model(*session, options, base::Job()).value());
  Keys keys = documented("## export");
  expect_keys(json, keys);
  ASSERT_EQ(json["gates"]["entries"].size(), 1);
  keys = documented("## Report");
  keys["entry"] = "";
  expect_keys(json["gates"]["entries"][0], keys);
  expect_keys(json["runtime_gates"]["entries"][0], keys);
}

TEST(JsonOfReply, SaysWhyItStopped) {
  for (const auto& [stop, word] : {std::pair(model::Stop::kEndOfTurn, "end_of_turn"),
                                   std::pair(model::Stop::kLength, "length")}) {
    const Json json = to_json(Reply{"Hi.", {4, 5}, stop, 3});
    expect_keys(json, documented("## generate"));
    EXPECT_EQ(json["stop"], word);
  }
}

}  // namespace
}  // namespace expunge::service
