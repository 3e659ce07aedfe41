#include "text/choice_set.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <map>

#include "text/rows.h"
#include "text/trim.h"

namespace expunge::text {
namespace {

namespace fs = std::filesystem;
using base::Code;
using base::Json;
using base::Result;

constexpr const char* kCsvHint = "a row is question,option,option,…,answer";
constexpr const char* kJsonHint =
    R"(a line is {"question": "…", "choices": ["…", "…"], "answer": 0, "subject": "…"})";

// abstract_algebra of …/abstract_algebra_test.csv.
std::string subject_of(const std::string& path) {
  std::string stem = fs::path(path).stem().string();
  for (const std::string_view split : {"_test", "_dev", "_val"})
    if (stem.size() > split.size() && stem.ends_with(split)) {
      stem.resize(stem.size() - split.size());
      break;
    }
  return stem;
}

// "B" or "1" -> 1; kMaxOptions if it is neither.
size_t index_of(std::string_view answer) {
  if (answer.size() == 1 && answer[0] >= 'A' && answer[0] <= 'Z')
    return static_cast<size_t>(answer[0] - 'A');
  size_t index = kMaxOptions;
  const auto [end, error] = std::from_chars(answer.data(), answer.data() + answer.size(), index);
  return error == std::errc() && end == answer.data() + answer.size() ? index : kMaxOptions;
}

Result<ChoiceItem> checked(ChoiceItem item, std::string_view answer, const std::string& where,
                           const char* hint) {
  if (trimmed(item.question).empty())
    return base::fail(Code::kInvalid, where + ": the question is empty", hint);
  if (item.options.size() < 2 || item.options.size() > kMaxOptions)
    return base::fail(
        Code::kInvalid,
        fmt::format("{}: {} options, expected 2 to {}", where, item.options.size(), kMaxOptions),
        hint);
  item.right = index_of(answer);
  if (item.right >= item.options.size())
    return base::fail(
        Code::kInvalid,
        fmt::format(
            "{}: the answer is '{}', expected a letter from A to {} or an index from 0 to {}",
            where, answer, static_cast<char>('A' + item.options.size() - 1),
            item.options.size() - 1),
        hint);
  return item;
}

// question,choice0,…,answer or question,A,…,answer.
bool is_header(const std::vector<std::string>& fields) {
  return fields.size() >= 4 && fields.front() == "question" && fields.back() == "answer" &&
         std::all_of(fields.begin() + 1, fields.end() - 1, [](const std::string& name) {
           return name.size() == 1 || name.starts_with("choice") || name.starts_with("option");
         });
}

Result<std::vector<ChoiceItem>> from_csv(const std::string& path) {
  const std::vector<CsvRow> rows = TRY(read_csv(path));
  std::vector<ChoiceItem> items;
  for (const CsvRow& row : rows) {
    const std::string where = fmt::format("{}:{}", path, row.line);
    if (&row == rows.data() && is_header(row.fields)) continue;
    if (row.fields.size() != rows[0].fields.size())
      return base::fail(Code::kInvalid,
                        fmt::format("{}: {} columns, the first row has {}", where,
                                    row.fields.size(), rows[0].fields.size()),
                        kCsvHint);
    ChoiceItem item;
    item.row = static_cast<int64_t>(items.size());
    item.subject = subject_of(path);
    item.question = row.fields[0];
    if (row.fields.size() > 2) item.options.assign(row.fields.begin() + 1, row.fields.end() - 1);
    items.push_back(TRY(checked(std::move(item), row.fields.back(), where, kCsvHint)));
  }
  return items;
}

Result<ChoiceItem> from_json(const Json& json, const std::string& where) {
  const auto fail = [&](const char* what) {
    return base::fail(Code::kInvalid, where + what, kJsonHint);
  };
  if (!json.is_object()) return fail(": expected an object");
  const Json question = json.value("question", Json()), choices = json.value("choices", Json()),
             answer = json.value("answer", Json()), subject = json.value("subject", Json());
  if (!question.is_string()) return fail(": 'question' must be a text");
  if (!choices.is_array() || !std::ranges::all_of(choices, &Json::is_string))
    return fail(": 'choices' must be a list of texts");
  if (!answer.is_number_integer() && !answer.is_string())
    return fail(": 'answer' must be an index or a letter");
  if (!subject.is_null() && (!subject.is_string() || subject.get<std::string>().empty()))
    return fail(": 'subject' must be a text");
  ChoiceItem item;
  item.question = question.get<std::string>();
  item.options = choices.get<std::vector<std::string>>();
  if (subject.is_string()) item.subject = subject.get<std::string>();
  return checked(std::move(item), answer.is_string() ? answer.get<std::string>() : answer.dump(),
                 where, kJsonHint);
}

Result<std::vector<ChoiceItem>> from_json_lines(const std::string& path) {
  std::vector<ChoiceItem> items;
  for (const JsonRow& row : TRY(read_json_rows(path))) {
    items.push_back(TRY(from_json(row.json, fmt::format("{}:{}", path, row.line))));
    items.back().row = static_cast<int64_t>(items.size()) - 1;
    if (items.back().subject.empty()) items.back().subject = subject_of(path);
  }
  return items;
}

Result<std::vector<std::string>> files_of(const std::string& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) return std::vector{path};
  std::vector<std::string> files;
  for (fs::directory_iterator entry(path, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string extension = entry->path().extension().string();
    if (extension == ".csv" || extension == ".json" || extension == ".jsonl")
      files.push_back(entry->path().string());
  }
  if (error)
    return base::fail(Code::kIo, fmt::format("cannot read {}: {}", path, error.message()),
                      "check the permissions");
  std::ranges::sort(files);
  return files;
}

}  // namespace

Result<std::vector<ChoiceItem>> read_choices(const std::string& path, size_t limit) {
  std::vector<ChoiceItem> items;
  std::map<std::string, std::string> files;  // by subject
  for (const std::string& file : TRY(files_of(path))) {
    std::map<std::string, size_t> n_items;
    for (ChoiceItem& item : TRY(file.ends_with(".csv") ? from_csv(file) : from_json_lines(file))) {
      item.file = file;
      const std::string& first = files.try_emplace(item.subject, file).first->second;
      if (first != file)
        return base::fail(
            Code::kConflict,
            fmt::format("{} and {} both hold subject '{}'", first, file, item.subject),
            "keep questions and their worked examples in folders of their own");
      if (limit == 0 || ++n_items[item.subject] <= limit) items.push_back(std::move(item));
    }
  }
  if (items.empty())
    return base::fail(
        Code::kInvalid, path + " holds no question",
        "expected .csv, .json or .jsonl: " + std::string(kCsvHint) + "; " + kJsonHint);
  return items;
}

}  // namespace expunge::text
