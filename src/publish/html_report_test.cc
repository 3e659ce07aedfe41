// The page built from evaluations: its island's contents, that texts cannot leave it, what is
// refused. How the page looks and behaves takes a browser and is not tested here.
#include "publish/html_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.h"

namespace expunge::publish {
namespace {

using base::Code;
using base::Json;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::string_view kBegin = R"(<script type="application/json" id="data">)";

Json evaluation() {
  return Json::parse(R"({
    "suite": "tofu", "model": "tiny.gguf", "entry": null, "parity": "none", "other": [1],
    "summary": {"forget_quality": 2.19e-16, "model_utility": 0.52, "odd": "text", "none": null},
    "absent": {"privleak": "needs a holdout set"}, "seconds": {"scoring": 3.5},
    "records": {"forget": {
      "0": {"question": "Who?", "answer": "Ada", "prob": 0.9, "generation": "Ada."},
      "1": {"question": "Where?", "answer": "Bern", "prob": 0.8, "tokens": [1, 2]}}}})");
}

std::string page(std::span<const ReportRun> runs) {
  const auto report = html_report(runs);
  EXPECT_TRUE(report) << report.error().message;
  return report.value_or("");
}

// What a browser reads as the island: up to the first end tag.
std::string island(const std::string& page) {
  const size_t begin = page.find(kBegin) + kBegin.size();
  return page.substr(begin, page.find("</script", begin) - begin);
}

Json shown(std::span<const ReportRun> runs) { return Json::parse(island(page(runs))); }

size_t count(std::string_view text, std::string_view what) {
  size_t n = 0;
  for (size_t at = text.find(what); at != text.npos; at = text.find(what, at + 1)) ++n;
  return n;
}

base::Error refusal(std::span<const ReportRun> runs) {
  auto report = html_report(runs);
  EXPECT_FALSE(report);
  return report ? base::Error{} : report.error();
}

TEST(HtmlReport, KeepsWhatThePageShows) {
  const std::vector<ReportRun> runs{{"base", evaluation()}};
  const Json got = shown(runs);
  EXPECT_EQ(got["runs"][0], Json::parse(R"({
    "label": "base", "suite": "tofu", "model": "tiny.gguf", "parity": "none", "entry": null,
    "summary": {"forget_quality": 2.19e-16, "model_utility": 0.52},
    "seconds": {"scoring": 3.5}, "absent": {"privleak": "needs a holdout set"},
    "left_out": {}})"));
  EXPECT_EQ(got["sets"], Json::parse(R"([{"name": "forget", "items": [
    {"id": "0", "question": "Who?", "answer": "Ada",
     "runs": [{"prob": 0.9, "generation": "Ada."}]},
    {"id": "1", "question": "Where?", "answer": "Bern", "runs": [{"prob": 0.8}]}]}])"));
}

TEST(HtmlReport, SaysWhatIsLeftOut) {
  Json one = evaluation();
  one["settings"] = {{"parity", "open-unlearning"}};
  one["left_out"] = {{"forget_Q_A_ROUGE", "1 of 2 records"}};
  one["skipped"] = {{{"set", "forget"}, {"row", 7}}};
  const std::vector<ReportRun> runs{{"base", one}};
  const Json head = shown(runs)["runs"][0];
  EXPECT_EQ(head["parity"], "open-unlearning");
  EXPECT_EQ(head["left_out"]["forget_Q_A_ROUGE"], "1 of 2 records");
  EXPECT_EQ(head["skipped"], 1);
}

TEST(HtmlReport, BringsTheSameItemOfSeveralRunsTogether) {
  Json edited = evaluation();
  edited["records"]["forget"]["0"]["prob"] = 0.1;
  edited["records"]["forget"]["1"]["question"] = "Another item of that id?";
  edited["records"]["retain"]["0"] = {{"question", "What?"}, {"answer", "A"}, {"prob", 0.5}};
  const std::vector<ReportRun> runs{{"base", evaluation()}, {"", edited}};
  const Json got = shown(runs);
  EXPECT_EQ(got["runs"][1]["label"], "run 2");
  const Json& items = got["sets"][0]["items"];
  ASSERT_EQ(items.size(), 3);
  EXPECT_EQ(items[0]["runs"][0]["prob"], 0.9);
  EXPECT_EQ(items[0]["runs"][1]["prob"], 0.1);
  EXPECT_THAT(items[1]["runs"][1], Json(nullptr));
  EXPECT_THAT(items[2]["runs"][0], Json(nullptr));
  EXPECT_EQ(items[2]["id"], "1");
  EXPECT_EQ(got["sets"][1]["name"], "retain");
  EXPECT_EQ(got["sets"][1]["items"][0]["runs"].size(), 2);
}

TEST(HtmlReport, ManyItemsKeepTheirOrder) {
  Json many{{"records", {{"forget", Json::object()}}}};
  for (int i = 0; i < 400; ++i) many["records"]["forget"][std::to_string(i)] = {{"prob", i}};
  const std::vector<ReportRun> runs{{"a", many}, {"b", many}};
  const Json items = shown(runs)["sets"][0]["items"];
  ASSERT_EQ(items.size(), 400);
  for (int i = 0; i < 400; ++i) ASSERT_EQ(items[i]["runs"][1]["prob"], i);
}

TEST(HtmlReport, HostileTextsStayText) {
  const std::string plain = page(std::vector<ReportRun>{{"base", evaluation()}});
  for (const std::string hostile :
       {"</script><script>alert(1)</script>", "</SCRIPT >", "<!--", "<!-- <script>", "]]>", "-->",
        "{{data}}", "\" onload=\"alert(1)", "\\u003c/script>", "\xe2\x80\xa8\xe2\x80\xa9",
        "<img src=x onerror=alert(1)>", "__proto__", "'\\\"\n\t\x01"}) {
    const Json record{
        {"question", hostile}, {"answer", hostile}, {"generation", hostile}, {hostile, 1}};
    const std::vector<ReportRun> runs{
        {hostile, Json{{"suite", hostile},
                       {"model", hostile},
                       {"entry", hostile},
                       {"summary", {{hostile, 0.5}}},
                       {"absent", {{hostile, hostile}}},
                       {"records", {{hostile, {{hostile, record}}}}}}}};
    const std::string got = page(runs);
    EXPECT_THAT(island(got), Not(HasSubstr("<"))) << hostile;
    // The page around the island is the same for all data: nothing got out.
    EXPECT_EQ(got.size() - island(got).size(), plain.size() - island(plain).size()) << hostile;
    EXPECT_EQ(count(got, "<script"), 2) << hostile;
    const Json read = Json::parse(island(got));
    EXPECT_EQ(read["runs"][0]["label"], hostile);
    EXPECT_EQ(read["runs"][0]["summary"][hostile], 0.5);
    EXPECT_EQ(read["runs"][0]["absent"][hostile], hostile);
    EXPECT_EQ(read["sets"][0]["name"], hostile);
    EXPECT_EQ(read["sets"][0]["items"][0]["question"], hostile);
    EXPECT_EQ(read["sets"][0]["items"][0]["runs"][0]["generation"], hostile);
  }
}

TEST(HtmlReport, BytesThatAreNotUtf8AreReplaced) {
  Json broken = evaluation();
  broken["records"]["forget"]["0"]["generation"] = "cut \xe2\x80";
  const std::vector<ReportRun> runs{{"\xff", broken}};
  const Json got = shown(runs);
  EXPECT_EQ(got["runs"][0]["label"], "\xef\xbf\xbd");
  EXPECT_THAT(got["sets"][0]["items"][0]["runs"][0]["generation"].get<std::string>(),
              HasSubstr("cut \xef\xbf\xbd"));
}

TEST(HtmlReport, IsOneFileOfAllItsParts) {
  const std::string got = page(std::vector<ReportRun>{{"base", evaluation()}});
  const auto part = [](const std::string& name) {
    return base::read_file(EXPUNGE_SOURCE_DIR "/data/report/" + name).value();
  };
  EXPECT_THAT(got, HasSubstr("<style>\n" + part("style.css") + "</style>"));
  EXPECT_THAT(got, HasSubstr("<script>\n" + part("script.js") + "</script>"));
  EXPECT_THAT(part("script.js") + part("style.css"), Not(HasSubstr("</")));  // ends neither
  const std::string frame = part("page.html");
  EXPECT_TRUE(got.starts_with(frame.substr(0, frame.find("{{"))));
  EXPECT_TRUE(got.ends_with(frame.substr(frame.rfind("}}") + 2)));
}

TEST(HtmlReport, AsksNothingOfTheNetworkAndMakesNoMarkupOfData) {
  const std::string got = page(std::vector<ReportRun>{{"base", evaluation()}});
  EXPECT_THAT(got, HasSubstr("default-src 'none'"));
  for (const char* word :
       {"http:", "https:", "src=", "url(", "@import", "fetch(", "innerHTML", "outerHTML",
        "insertAdjacentHTML", "document.write", "eval(", "<link", "{{"}) {
    EXPECT_THAT(got, Not(HasSubstr(word)));
  }
}

TEST(HtmlReport, AnEmptyEvaluationIsAllDashes) {
  const std::vector<ReportRun> runs{{"", Json::object()}};
  EXPECT_EQ(shown(runs), Json::parse(R"({"runs": [{"label": "run 1", "summary": {}, "seconds": {},
    "absent": {}, "left_out": {}}], "sets": []})"));
}

TEST(HtmlReport, RefusesWhatItCannotCompareOrRead) {
  EXPECT_EQ(refusal({}).code, Code::kInvalid);
  Json other = evaluation();
  other["suite"] = "muse";
  const base::Error suites =
      refusal(std::vector<ReportRun>{{"base", evaluation()}, {"edited", other}});
  EXPECT_EQ(suites.code, Code::kInvalid);
  EXPECT_EQ(suites.message, "run 'edited' is of suite 'muse', the first run of 'tofu'");

  const auto message = [](const char* json) {
    return refusal(std::vector<ReportRun>{{"x", Json::parse(json)}}).message;
  };
  EXPECT_EQ(message("[]"), "run 'x': the evaluation is array, expected an object");
  EXPECT_EQ(message(R"({"summary": 3})"), "run 'x': summary is number, expected an object");
  EXPECT_EQ(message(R"({"records": []})"), "run 'x': records is array, expected an object");
  EXPECT_EQ(message(R"({"records": {"forget": "x"}})"),
            "run 'x': records: forget is string, expected an object");
  EXPECT_EQ(message(R"({"records": {"forget": {"7": 1}}})"),
            "run 'x': records: forget: 7 is number, expected an object");
}

}  // namespace
}  // namespace expunge::publish
