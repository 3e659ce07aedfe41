#include "model/chat_model.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <filesystem>

#include "model/generate.h"
#include "model/hf_files.h"

namespace expunge::model {
namespace {

namespace fs = std::filesystem;
using base::Code;
using base::fail;
using base::Result;

constexpr const char* kDefaultModel = "SmolLM2-135M-Instruct.Q4_1.gguf";

// A snapshot whose download was broken off lacks a file or has a link to nothing.
bool complete(const fs::path& snapshot) {
  std::error_code ec;
  bool weights = false;
  for (const auto& entry : fs::directory_iterator(snapshot, ec)) {
    if (!fs::exists(entry.path(), ec)) return false;  // a link to a blob that is not there
    const std::string name = entry.path().filename().string();
    weights = weights || name.ends_with(".safetensors") || name.ends_with(".gguf");
  }
  return weights && fs::exists(snapshot / "config.json", ec);
}

// $HF_HOME/hub/models--org--name/snapshots/<what refs/main names, else the newest complete one>.
std::string find_in_hub(const std::string& id) {
  const auto env = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value ? value : "");
  };
  std::string hub = env("HF_HUB_CACHE");
  if (hub.empty() && !env("HF_HOME").empty()) hub = env("HF_HOME") + "/hub";
  if (hub.empty()) hub = env("HOME") + "/.cache/huggingface/hub";
  std::string folder = "models--" + id;
  for (size_t at; (at = folder.find('/')) != folder.npos;) folder.replace(at, 1, "--");
  std::error_code ec;
  const fs::path repository = fs::path(hub) / folder;
  if (auto head = base::read_file((repository / "refs/main").string())) {
    while (!head->empty() && std::isspace(static_cast<unsigned char>(head->back())))
      head->pop_back();
    const fs::path snapshot = repository / "snapshots" / *head;
    if (head->find('/') == head->npos && !head->empty() && complete(snapshot))
      return snapshot.string();
  }
  std::string newest;
  fs::file_time_type newest_time{};
  for (const auto& entry : fs::directory_iterator(repository / "snapshots", ec))
    if (complete(entry.path()) && (newest.empty() || entry.last_write_time(ec) > newest_time)) {
      newest = entry.path().string();
      newest_time = entry.last_write_time(ec);
    }
  return newest;
}

Result<text::TextSide> text_from_gguf(const tensor::GgufMeta& meta) {
  const text::GgufVocab vocab = TRY(vocab_from_gguf(meta));
  text::Tokenizer tokenizer = TRY(text::Tokenizer::from_gguf(vocab));
  const auto token = [&](int64_t id) {
    return id < 0 ? std::string() : std::string(vocab.tokens[static_cast<size_t>(id)]);
  };
  text::ChatTemplate chat = text::ChatTemplate::plain();
  if (meta.has("tokenizer.chat_template"))
    chat = TRY(text::ChatTemplate::for_chat(TRY(meta.text("tokenizer.chat_template")),
                                            token(vocab.bos), token(vocab.eos)));
  return text::TextSide{std::move(tokenizer), std::move(chat), text::notes(vocab)};
}

}  // namespace

Result<std::string> find_model(const std::string& spec) {
  if (spec.empty()) {
    const std::string path = TRY(base::cache_dir()) + "/models/" + kDefaultModel;
    if (fs::exists(path)) return path;
    return fail(Code::kNotFound, fmt::format("the default model is not at {}", path),
                "run 'make deps' in the project, or give a model with -m");
  }
  std::error_code ec;
  if (fs::exists(spec, ec)) return spec;
  if (spec.find("..") == spec.npos && !spec.starts_with('/'))
    if (const std::string found = find_in_hub(spec); !found.empty()) return found;
  return fail(Code::kNotFound, fmt::format("no model at '{}'", spec),
              "give a .gguf file, a Hugging Face folder, or an id in the local Hugging Face cache");
}

Result<ChatModel> load_chat_model(const std::string& spec, tensor::Activations activations) {
  const std::string path = TRY(find_model(spec));
  auto model = TRY(Model::load(path));
  const bool gguf = model.file()->format() == tensor::Format::kGguf;
  std::error_code ec;
  const fs::path dir = fs::is_directory(path, ec) ? fs::path(path) : fs::path(path).parent_path();
  text::TextSide text = TRY_AT(
      path, gguf ? text_from_gguf(model.file()->meta()) : text::text_side_of_folder(dir.string()));
  std::vector<int32_t> ends = model.arch().end_ids;
  if (text.chat.form() == text::ChatTemplate::Form::kPlain) {
    text.notes.emplace_back(
        "the model has no chat template; it is asked in the form 'Question: …', 'Answer:', and an "
        "answer is one line");
    for (const char* lines :
         {"\n\n\n", "\n\n", "\n"})  // the last one first: it ends what is learned
      if (const auto ids = text.tokenizer.encode(lines); ids && ids->ids.size() == 1)
        ends.insert(ends.begin(), ids->ids[0]);
  }
  model = model.speaking(static_cast<int64_t>(text.tokenizer.vocab_size()), std::move(ends))
              .computing(activations);
  return ChatModel{path, std::move(model), std::move(text.tokenizer), std::move(text.chat),
                   std::move(text.notes)};
}

Result<std::vector<int32_t>> ChatModel::encode(std::span<const text::Message> messages,
                                               std::string_view prefill) const {
  return TRY(text::encode_chat(tokenizer, chat, messages, text::AddGenerationPrompt::kYes, prefill))
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
