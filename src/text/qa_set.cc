#include "text/qa_set.h"

#include <unistd.h>

#include "base/files.h"
#include "base/json.h"
#include "base/unique_keys.h"
#include "text/rows.h"
#include "text/trim.h"

namespace expunge::text {
namespace {

using base::Code;
using base::Json;
using base::Result;

constexpr const char* kHint = R"(a line is {"question": "…", "answer": "…"})";

Result<std::string> not_empty(std::string text, std::string_view key, const std::string& where) {
  if (trimmed(text).empty())
    return base::fail(Code::kInvalid, fmt::format("{}: '{}' is empty", where, key),
                      "fill it in, or leave the item out");
  return text;
}

// A text, or a list of one text: both are in use.
Result<std::string> text_of(const Json& json, const char* key, const std::string& where) {
  const auto found = json.find(key);
  if (found != json.end()) {
    if (found->is_string()) return not_empty(found->get<std::string>(), key, where);
    if (found->is_array() && found->size() == 1 && found->at(0).is_string())
      return not_empty(found->at(0).get<std::string>(), key, where);
  }
  return base::fail(Code::kInvalid, fmt::format("{}: '{}' must be a text", where, key), kHint);
}

Result<QaItem> item_of(const Json& json, const std::string& where) {
  if (!json.is_object()) return base::fail(Code::kInvalid, where + ": expected an object", kHint);
  QaItem item;
  item.question = TRY(text_of(json, "question", where));
  item.answer = TRY(text_of(json, "answer", where));
  if (json.contains("paraphrased_answer"))
    item.paraphrased = TRY(text_of(json, "paraphrased_answer", where));
  if (const auto wrong = json.find("perturbed_answer"); wrong != json.end()) {
    const bool one = wrong->is_string();
    for (const Json& w : one ? Json::array({*wrong}) : *wrong) {
      if (!w.is_string())
        return base::fail(Code::kInvalid, where + ": 'perturbed_answer' must be a list of texts");
      item.perturbed.push_back(TRY(not_empty(w.get<std::string>(), "perturbed_answer", where)));
    }
  } else {
    for (int option = 1; json.contains(fmt::format("option{}", option)); ++option) {
      std::string text = TRY(text_of(json, fmt::format("option{}", option).c_str(), where));
      if (text != item.answer) item.perturbed.push_back(std::move(text));
    }
  }
  return item;
}

// Each item with its place: "qa.json:3", or "qa.json, item 3" of an array.
Result<std::vector<std::pair<std::string, Json>>> rows_of(const std::string& path) {
  std::vector<std::pair<std::string, Json>> rows;
  const std::string text = TRY(base::read_file(path));
  const std::string_view content =
      trimmed(std::string_view(text).substr(text.starts_with("\xEF\xBB\xBF") ? 3 : 0));
  if (!content.starts_with('[')) {
    for (JsonRow& row : TRY(read_json_rows(path)))
      rows.emplace_back(fmt::format("{}:{}", path, row.line), std::move(row.json));
    return rows;
  }
  Json items = TRY(base::parse_json(content, path));
  TRY(base::check_unique_keys(content, path));
  for (Json& item : items)
    rows.emplace_back(fmt::format("{}, item {}", path, rows.size() + 1), std::move(item));
  return rows;
}

}  // namespace

Result<std::vector<QaItem>> read_qa(const std::string& path, size_t limit) {
  std::vector<QaItem> items;
  for (const auto& [where, json] : TRY(rows_of(path))) {
    items.push_back(TRY(item_of(json, where)));
    items.back().row = static_cast<int64_t>(items.size()) - 1;
    if (limit > 0 && items.size() == limit) break;
  }
  if (items.empty()) return base::fail(Code::kInvalid, path + " holds no question", kHint);
  return items;
}

bool is_qa_path(const std::string& split) {
  return split.find('.') != split.npos && ::access(split.c_str(), R_OK) == 0;
}

Result<std::string> qa_file(const std::string& data, const std::string& split,
                            std::span<const std::string_view> endings) {
  std::vector<std::string> paths{split};
  for (const std::string_view ending : endings)
    paths.push_back(data + "/" + split + std::string(ending));
  for (const std::string& path : paths)
    if (is_qa_path(path)) return path;
  return base::fail(Code::kNotFound, fmt::format("no set '{}' in {}", split, data),
                    "--data names the folder of TOFU's JSON files "
                    "(huggingface.co/datasets/locuslab/TOFU)");
}

}  // namespace expunge::text
