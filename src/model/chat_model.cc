#include "model/chat_model.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <optional>

#include "model/generate.h"
#include "model/hf_files.h"

namespace expunge::model {
namespace {

namespace fs = std::filesystem;
using base::Code;
using base::fail;
using base::Result;

constexpr const char* kDefaultModel = "SmolLM2-135M-Instruct.Q4_1.gguf";

// What a snapshot lacks whose download was broken off: a file, or what a link points to.
std::optional<std::string> lacking(const fs::path& snapshot) {
  std::error_code ec;
  bool gguf = false;
  for (const auto& entry : fs::directory_iterator(snapshot, ec)) {
    const std::string name = entry.path().filename().string();
    if (!fs::exists(entry.path(), ec)) return name;  // a link to a blob that is not there
    gguf = gguf || name.ends_with(".gguf");
  }
  const auto there = [&](const std::string& name) { return fs::exists(snapshot / name, ec); };
  const std::string whole = "model.safetensors", index = "model.safetensors.index.json";
  const bool weights = there(whole) || there(index);
  if (gguf && !weights) return std::nullopt;  // whoever opens it says what to give
  if (!there("config.json")) return "config.json";
  if (!weights) return whole;
  if (!there("tokenizer.json") && !there("tokenizer.model")) return "tokenizer.json";
  if (there(whole)) return std::nullopt;
  const auto json = base::read_json((snapshot / index).string());
  if (!json || !json->is_object() || !json->contains("weight_map")) return index;
  for (const base::Json& shard : (*json)["weight_map"])
    if (shard.is_string() && !there(shard.get<std::string>())) return shard.get<std::string>();
  return std::nullopt;
}

struct Found {
  std::string path;
  std::vector<std::string> notes = {};
};

std::string hub_folder() {
  const auto env = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value ? value : "");
  };
  if (const std::string hub = env("HF_HUB_CACHE"); !hub.empty()) return hub;
  if (const std::string home = env("HF_HOME"); !home.empty()) return home + "/hub";
  return env("HOME") + "/.cache/huggingface/hub";
}

// The commit that refs/main of a repository names, or "".
std::string main_commit(const fs::path& repository) {
  auto head = base::read_file((repository / "refs/main").string());
  if (!head) return "";
  while (!head->empty() && std::isspace(static_cast<unsigned char>(head->back()))) head->pop_back();
  return head->find('/') == head->npos ? *head : "";
}

// models--org--name/snapshots/<what refs/main names, else the newest complete one>; no path if the
// cache has no such repository.
Result<Found> find_in_hub(const std::string& id) {
  std::string folder = "models--" + id;
  for (size_t at; (at = folder.find('/')) != folder.npos;) folder.replace(at, 1, "--");
  std::error_code ec;
  const fs::path repository = fs::path(hub_folder()) / folder;
  if (!fs::is_directory(repository, ec)) return Found{};
  const fs::path snapshots = repository / "snapshots";
  const std::string head = main_commit(repository);
  std::optional<std::string> lacks;
  if (!head.empty()) lacks = lacking(snapshots / head);
  if (!head.empty() && !lacks) return Found{(snapshots / head).string()};
  fs::path newest;
  fs::file_time_type newest_time{};
  for (const auto& entry : fs::directory_iterator(snapshots, ec)) {
    if (auto lack = lacking(entry.path())) {
      if (!lacks) lacks = std::move(lack);
    } else if (newest.empty() || entry.last_write_time(ec) > newest_time) {
      newest = entry.path();
      newest_time = entry.last_write_time(ec);
    }
  }
  if (newest.empty())
    return fail(Code::kNotFound,
                fmt::format("the download of {} is incomplete: {} is missing", id,
                            lacks.value_or("every snapshot")),
                fmt::format("finish it: hf download {}", id));
  if (head.empty()) return Found{newest.string()};
  return Found{newest.string(),
               {fmt::format("refs/main is incomplete ({} is missing), using {}", *lacks,
                            newest.filename().string())}};
}

Result<Found> find(const std::string& spec) {
  if (spec.empty()) {
    const std::string path = TRY(base::cache_dir()) + "/models/" + kDefaultModel;
    if (fs::exists(path)) return Found{path};
    return fail(Code::kNotFound, fmt::format("the default model is not at {}", path),
                "run 'make deps' in the project, or give a model with -m");
  }
  std::error_code ec;
  if (fs::exists(spec, ec)) return Found{spec};
  if (spec.find("..") == spec.npos && !spec.starts_with('/'))
    if (Found found = TRY(find_in_hub(spec)); !found.path.empty()) return found;
  return fail(Code::kNotFound, fmt::format("no model at '{}'", spec),
              "give a .gguf file, a Hugging Face folder, or an id in the local Hugging Face cache");
}

Result<text::TextSide> text_from_gguf(const tensor::GgufMeta& meta) {
  const text::GgufVocab vocab = TRY(vocab_from_gguf(meta));
  text::Tokenizer tokenizer = TRY(text::Tokenizer::from_gguf(vocab));
  const auto token = [&](int64_t id) {
    return id < 0 ? std::string() : std::string(vocab.tokens[static_cast<size_t>(id)]);
  };
  text::ChatTemplate chat = text::ChatTemplate::plain();
  constexpr std::string_view kTemplate = "tokenizer.chat_template";
  std::vector<std::string> named;
  if (!meta.has(kTemplate))
    for (const auto& [key, value] : meta.values)
      if (key.starts_with(kTemplate) && key[kTemplate.size()] == '.')
        named.push_back(key.substr(kTemplate.size() + 1));
  if (meta.has(kTemplate))
    chat = TRY(text::ChatTemplate::for_chat(TRY(meta.text(kTemplate)), token(vocab.bos),
                                            token(vocab.eos)));
  return text::TextSide{std::move(tokenizer), std::move(chat), text::notes(vocab),
                        std::move(named)};
}

}  // namespace

Result<std::string> find_model(const std::string& spec) { return TRY(find(spec)).path; }

Result<ChatModel> load_chat_model(const std::string& spec, tensor::Activations activations) {
  const auto [path, found_notes] = TRY(find(spec));
  auto model = TRY(Model::load(path));
  const bool gguf = model.file()->format() == tensor::Format::kGguf;
  std::error_code ec;
  const fs::path dir = fs::is_directory(path, ec) ? fs::path(path) : fs::path(path).parent_path();
  text::TextSide text = TRY_AT(
      path, gguf ? text_from_gguf(model.file()->meta()) : text::text_side_of_folder(dir.string()));
  text.notes.insert(text.notes.begin(), found_notes.begin(), found_notes.end());
  std::vector<int32_t> line_ends;
  if (text.chat.form() == text::ChatTemplate::Form::kPlain) {
    const std::string none =
        text.named_templates.empty()
            ? "the model has no chat template"
            : fmt::format("of the model's chat templates ({}) none is its default",
                          fmt::join(text.named_templates, ", "));
    text.notes.push_back(none +
                         "; it is asked in the form 'Question: …', 'Answer:', and an answer is one "
                         "line");
    for (const char* lines : {"\n", "\n\n", "\n\n\n"})  // the first ends what is learned
      if (const auto ids = text.tokenizer.encode(lines); ids && ids->ids.size() == 1)
        line_ends.push_back(ids->ids[0]);
  }
  const auto is_token = [&](int32_t id) { return text.tokenizer.is_token(id); };
  model = model.speaking(is_token, std::move(line_ends)).computing(activations);
  return ChatModel{path, std::move(model), std::move(text.tokenizer), std::move(text.chat),
                   std::move(text.notes)};
}

Result<std::vector<int32_t>> ChatModel::encode(std::span<const text::Message> messages,
                                               std::string_view prefill,
                                               std::string_view tools) const {
  return TRY(text::encode_chat(tokenizer, chat, messages, text::AddGenerationPrompt::kYes, prefill,
                               tools))
      .tokens.ids;
}

Result<std::vector<int32_t>> ChatModel::encode_user(std::string_view question) const {
  const text::Message message{"user", std::string(question)};
  return encode({&message, 1});
}

Result<std::vector<int32_t>> ChatModel::encode_text(std::string_view plain) const {
  std::vector<int32_t> ids = tokenizer.begin_ids();
  const auto rest = TRY(tokenizer.encode(plain)).ids;
  ids.insert(ids.end(), rest.begin(), rest.end());
  return ids;
}

Result<Example> ChatModel::encode_answer(const std::string& system, const std::string& question,
                                         const std::string& answer) const {
  std::vector<text::Message> messages;
  if (!system.empty()) messages.push_back({"system", system});
  messages.push_back({"user", question});
  const auto prompt = TRY(encode(messages));
  messages.push_back({"assistant", answer});
  Example e;
  e.ids =
      TRY(text::encode_chat(tokenizer, chat, messages, text::AddGenerationPrompt::kNo)).tokens.ids;
  // A token may span the end of the prompt; the answer ends with its first end-of-turn token.
  const auto own = std::ranges::mismatch(prompt, e.ids).in1 - prompt.begin();
  e.first = std::max<size_t>(static_cast<size_t>(own), 1);
  const auto& ends = model.arch().end_ids;
  const auto from = e.ids.begin() + static_cast<std::ptrdiff_t>(e.first);
  const auto end = std::find_first_of(from, e.ids.end(), ends.begin(), ends.end());
  if (end != e.ids.end())
    e.ids.erase(end + 1, e.ids.end());
  else if (!ends.empty())
    e.ids.push_back(ends[0]);
  TRY(check_prompt(model.arch(), e.ids));
  return e;
}

}  // namespace expunge::model
