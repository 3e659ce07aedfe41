#include "publish/html_report.h"

#include <map>
#include <optional>
#include <tuple>

// Made by the build from data/report/: kReportPage, kReportScript, kReportStyle.
#include "tables/report_page.inc"
#include "tables/report_script.inc"
#include "tables/report_style.inc"

namespace expunge::publish {
namespace {

using base::Code;
using base::Json;

// The member `key` of an evaluation or of a part of it; an empty object if there is none.
base::Result<Json> object_member(const Json& parent, const std::string& key,
                                 const std::string& where) {
  const auto found = parent.find(key);
  if (found == parent.end() || found->is_null()) return Json::object();
  if (!found->is_object()) {
    return base::fail(Code::kInvalid, fmt::format("{}: {} is {}, expected an object", where, key,
                                                  found->type_name()));
  }
  return *found;
}

std::optional<std::string> text(const Json& parent, const char* key) {
  const auto found = parent.find(key);
  if (found == parent.end() || !found->is_string()) return std::nullopt;
  return found->get<std::string>();
}

// The fields of one kind that the page reads; no others enter it.
Json only(const Json& object, bool (Json::*wanted)() const noexcept) {
  Json kept = Json::object();
  for (const auto& [key, value] : object.items()) {
    if ((value.*wanted)()) kept[key] = value;
  }
  return kept;
}

base::Result<Json> run_head(const ReportRun& run, const std::string& label) {
  const Json& evaluation = run.evaluation;
  const std::string where = fmt::format("run '{}'", label);
  Json head{{"label", label}};
  for (const char* key : {"suite", "model", "parity", "weights_hash", "expunge"}) {
    if (const auto value = text(evaluation, key)) head[key] = *value;
  }
  const Json settings = TRY(object_member(evaluation, "settings", where));
  if (const auto parity = text(settings, "parity")) head["parity"] = *parity;
  // null means that the model is unedited; a missing key means that this is not known.
  if (const auto entry = evaluation.find("entry"); entry != evaluation.end()) {
    if (entry->is_null() || entry->is_number() || entry->is_string()) head["entry"] = *entry;
  }
  head["summary"] = only(TRY(object_member(evaluation, "summary", where)), &Json::is_number);
  head["seconds"] = only(TRY(object_member(evaluation, "seconds", where)), &Json::is_number);
  head["absent"] = only(TRY(object_member(evaluation, "absent", where)), &Json::is_string);
  head["left_out"] = only(TRY(object_member(evaluation, "left_out", where)), &Json::is_string);
  if (const auto skipped = evaluation.find("skipped");
      skipped != evaluation.end() && skipped->is_array() && !skipped->empty())
    head["skipped"] = skipped->size();
  return head;
}

// The sets of all runs, the same item of several runs in one place. Items are the same only if
// their texts are: another data set's item of that id must not be shown next to it.
class Sets {
 public:
  explicit Sets(size_t n_runs) : n_runs_(n_runs) {}

  base::Status add(size_t run, const std::string& where, const Json& records) {
    for (const auto& [set, by_id] : records.items()) {
      const Json checked = TRY(object_member(records, set, where + ": records"));
      for (const auto& [id, record] : checked.items()) {
        if (!record.is_object()) {
          return base::fail(Code::kInvalid,
                            fmt::format("{}: records: {}: {} is {}, expected an object", where, set,
                                        id, record.type_name()));
        }
        Json figures = only(record, &Json::is_number);
        if (const auto reply = text(record, "generation")) figures["generation"] = *reply;
        item(set, id, record)["runs"][run] = std::move(figures);
      }
    }
    return {};
  }

  const Json& json() const { return sets_; }

 private:
  Json& item(const std::string& set, const std::string& id, const Json& record) {
    const auto question = text(record, "question"), answer = text(record, "answer");
    const size_t place = set_places_.try_emplace(set, sets_.size()).first->second;
    if (place == sets_.size()) sets_.push_back({{"name", set}, {"items", Json::array()}});
    Json& items = sets_[place]["items"];
    const auto [found, is_new] =
        item_places_.try_emplace({set, id, question, answer}, items.size());
    if (is_new) {
      Json fresh{{"id", id}};
      if (question) fresh["question"] = *question;
      if (answer) fresh["answer"] = *answer;
      fresh["runs"] = std::vector<Json>(n_runs_);  // null: not in this run
      items.push_back(std::move(fresh));
    }
    return items[found->second];
  }

  using Key =
      std::tuple<std::string, std::string, std::optional<std::string>, std::optional<std::string>>;
  size_t n_runs_;
  Json sets_ = Json::array();
  std::map<std::string, size_t> set_places_;
  std::map<Key, size_t> item_places_;
};

// JSON that may stand in a <script>: "<" occurs in its strings only, and without it there is
// neither an end tag nor a comment.
std::string island(const Json& data) {
  std::string safe;
  for (const char c : base::dump_json(data)) {
    if (c == '<') {
      safe += "\\u003c";
    } else {
      safe += c;
    }
  }
  return safe;
}

// The page with its parts at their marks. A part is not searched for marks.
std::string assembled(const std::string& data) {
  std::string page;
  std::string_view rest = kReportPage;
  for (const auto& [mark, part] :
       std::initializer_list<std::pair<std::string_view, std::string_view>>{
           {"{{style}}", kReportStyle}, {"{{data}}", data}, {"{{script}}", kReportScript}}) {
    const size_t at = rest.find(mark);
    CHECK(at != std::string_view::npos, "data/report/page.html has no {} after the last", mark);
    page.append(rest.substr(0, at)).append(part);
    rest.remove_prefix(at + mark.size());
  }
  return page.append(rest);
}

}  // namespace

base::Result<std::string> html_report(std::span<const ReportRun> runs) {
  if (runs.empty()) {
    return base::fail(Code::kInvalid, "no evaluation to report", "name at least one");
  }
  Json heads = Json::array();
  Sets sets(runs.size());
  for (size_t i = 0; i < runs.size(); ++i) {
    const std::string label = runs[i].label.empty() ? fmt::format("run {}", i + 1) : runs[i].label;
    const std::string where = fmt::format("run '{}'", label);
    if (!runs[i].evaluation.is_object()) {
      return base::fail(Code::kInvalid, fmt::format("{}: the evaluation is {}, expected an object",
                                                    where, runs[i].evaluation.type_name()));
    }
    heads.push_back(TRY(run_head(runs[i], label)));
    const std::string suite = heads[i].value("suite", ""), first = heads[0].value("suite", "");
    if (!suite.empty() && !first.empty() && suite != first) {
      return base::fail(
          Code::kInvalid,
          fmt::format("{} is of suite '{}', the first run of '{}'", where, suite, first),
          "make a report for each suite");
    }
    const Json records = TRY(object_member(runs[i].evaluation, "records", where));
    TRY(sets.add(i, where, records));
  }
  return assembled(island({{"runs", heads}, {"sets", sets.json()}}));
}

}  // namespace expunge::publish
