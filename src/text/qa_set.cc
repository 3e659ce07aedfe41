#include "text/qa_set.h"

#include "base/files.h"
#include "base/json.h"

namespace expunge::text {
namespace {

using base::Json;
using base::Result;

// A text, or a list of one text: both are in use.
Result<std::string> text_of(const Json& json, const char* key, const std::string& where) {
  const auto found = json.find(key);
  if (found != json.end()) {
    if (found->is_string()) return found->get<std::string>();
    if (found->is_array() && found->size() == 1 && found->at(0).is_string())
      return found->at(0).get<std::string>();
  }
  return base::fail(base::Code::kInvalid, fmt::format("{}: '{}' must be a text", where, key),
                    R"(a line is {"question": "…", "answer": "…"})");
}

Result<QaItem> item_of(const Json& json, const std::string& where) {
  if (!json.is_object())
    return base::fail(base::Code::kInvalid, where + ": expected an object",
                      R"(a line is {"question": "…", "answer": "…"})");
  QaItem item;
  item.question = TRY(text_of(json, "question", where));
  item.answer = TRY(text_of(json, "answer", where));
  if (json.contains("paraphrased_answer"))
    item.paraphrased = TRY(text_of(json, "paraphrased_answer", where));
  if (const auto wrong = json.find("perturbed_answer"); wrong != json.end()) {
    const bool one = wrong->is_string();
    for (const Json& w : one ? Json::array({*wrong}) : *wrong) {
      if (!w.is_string())
        return base::fail(base::Code::kInvalid,
                          where + ": 'perturbed_answer' must be a list of texts");
      item.perturbed.push_back(w.get<std::string>());
    }
  } else {
    for (int option = 1; json.contains(fmt::format("option{}", option)); ++option) {
      std::string text = TRY(text_of(json, fmt::format("option{}", option).c_str(), where));
      if (text != item.answer) item.perturbed.push_back(std::move(text));
    }
  }
  return item;
}

}  // namespace

Result<std::vector<QaItem>> read_qa(const std::string& path, size_t limit) {
  std::vector<QaItem> items;
  for (const Json& json : TRY(base::read_jsonl(path))) {
    items.push_back(TRY(item_of(json, fmt::format("{}, item {}", path, items.size() + 1))));
    items.back().row = static_cast<int64_t>(items.size()) - 1;
    if (limit > 0 && items.size() == limit) break;
  }
  if (items.empty())
    return base::fail(base::Code::kInvalid, path + " holds no question",
                      R"(a line is {"question": "…", "answer": "…"})");
  return items;
}

}  // namespace expunge::text
