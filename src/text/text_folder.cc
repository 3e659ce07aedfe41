#include "text/text_folder.h"

#include <algorithm>
#include <filesystem>
#include <optional>

#include "base/files.h"

namespace expunge::text {
namespace {

namespace fs = std::filesystem;
using base::Code;
using base::fail;
using base::Json;
using base::Result;

bool has_file(const fs::path& path) {
  std::error_code ec;
  return fs::exists(path, ec);
}

Result<Tokenizer> tokenizer_of(const fs::path& dir) {
  const fs::path json = dir / "tokenizer.json";
  if (has_file(json)) return Tokenizer::from_json(TRY(base::read_file(json.string())));
  if (has_file(dir / "tokenizer.model"))
    return fail(
        Code::kUnsupported,
        fmt::format("{} has a tokenizer.model and no tokenizer.json", dir.string()),
        "transformers writes it: AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER)");
  return fail(Code::kNotFound, fmt::format("{} has no tokenizer.json", dir.string()),
              "copy it from where the model came from");
}

// An absent file is an empty object.
Result<Json> read_object(const fs::path& path) {
  if (!has_file(path)) return Json::object();
  Json value = TRY(base::read_json(path.string()));
  if (!value.is_object()) return fail(Code::kInvalid, path.string() + ": not a JSON object");
  return value;
}

// A special token of tokenizer_config.json is a string or {"content": …}.
std::string token_text(const Json& config, const char* key) {
  const auto found = config.find(key);
  if (found == config.end()) return {};
  if (found->is_string()) return found->get<std::string>();
  if (!found->is_object() || !found->contains("content")) return {};
  const Json& content = (*found)["content"];
  return content.is_string() ? content.get<std::string>() : std::string();
}

// Several templates are a list of {"name": …, "template": …}.
Result<std::string> pick(const Json& list, std::vector<std::string>& notes) {
  const Json* chosen = nullptr;
  std::vector<std::string> others;
  for (const Json& entry : list) {
    if (!entry.is_object() || !entry.contains("name") || !entry["name"].is_string() ||
        !entry.contains("template") || !entry["template"].is_string())
      return fail(Code::kInvalid, "chat_template: not a list of {name, template}");
    if (entry["name"] == "default" || list.size() == 1)
      chosen = &entry["template"];
    else
      others.push_back(entry["name"].get<std::string>());
  }
  if (chosen == nullptr)
    return fail(
        Code::kUnsupported,
        fmt::format("none of the chat templates ({}) is 'default'", fmt::join(others, ", ")),
        "name the one to use 'default' in tokenizer_config.json");
  if (!others.empty())
    notes.push_back(fmt::format("of the model's chat templates 'default' is used, not {}",
                                fmt::join(others, ", ")));
  return chosen->get<std::string>();
}

// The template in a JSON file, if it has one.
Result<std::optional<std::string>> template_in(const Json& config,
                                               std::vector<std::string>& notes) {
  const auto found = config.find("chat_template");
  if (found == config.end() || found->is_null() || found->empty()) return std::nullopt;
  if (found->is_string()) return found->get<std::string>();
  if (found->is_array()) return TRY(pick(*found, notes));
  return fail(Code::kInvalid, "chat_template: neither a text nor a list");
}

Result<std::optional<std::string>> template_of(const fs::path& dir, const Json& config,
                                               std::vector<std::string>& notes) {
  if (has_file(dir / "chat_template.jinja"))
    return TRY(base::read_file((dir / "chat_template.jinja").string()));
  if (auto source = TRY_AT("tokenizer_config.json", template_in(config, notes))) return source;
  const Json file = TRY(read_object(dir / "chat_template.json"));
  return TRY_AT("chat_template.json", template_in(file, notes));
}

// Of additional_chat_templates/NAME.jinja.
std::vector<std::string> additional_templates(const fs::path& dir) {
  std::vector<std::string> names;
  std::error_code ec;
  for (const auto& file : fs::directory_iterator(dir / "additional_chat_templates", ec))
    if (file.path().extension() == ".jinja") names.push_back(file.path().stem().string());
  std::ranges::sort(names);
  return names;
}

}  // namespace

Result<TextSide> text_side_of_folder(const std::string& dir) {
  Tokenizer tokenizer = TRY(tokenizer_of(dir));
  const Json config = TRY(read_object(fs::path(dir) / "tokenizer_config.json"));
  std::vector<std::string> notes;
  const auto source = TRY(template_of(dir, config, notes));
  ChatTemplate chat = ChatTemplate::plain();
  if (source)
    chat = TRY(ChatTemplate::for_chat(*source, token_text(config, "bos_token"),
                                      token_text(config, "eos_token")));
  return TextSide{std::move(tokenizer), std::move(chat), std::move(notes),
                  source ? std::vector<std::string>() : additional_templates(dir)};
}

}  // namespace expunge::text
