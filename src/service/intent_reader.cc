#include "service/intent_reader.h"

#include "base/files.h"
#include "base/hash.h"
#include "base/version.h"
#include "service/features.h"

namespace expunge::service {

using base::Result;

namespace {

// Everything that the training depends on.
Result<std::string> cache_key(const model::ChatModel& chat_model) {
  std::string key = std::string(base::kVersion) + TRY(chat_model.model.answer_key()) +
                    agent::Cues::builtin().hash();
  for (const agent::Example& e : agent::builtin_examples()) {
    key += fmt::format(" {}", static_cast<int>(e.intent));
    for (const text::Message& m : e.dialogue) key += m.content;
  }
  return base::sha256_hex(key);
}

Result<agent::ModelWatchdog> trained_watchdog(const model::ChatModel& chat_model,
                                              const base::Job& job) {
  const std::string folder = TRY(base::cache_dir()) + "/watchdogs";
  const std::string path = fmt::format("{}/{:.32}.json", folder, TRY(cache_key(chat_model)));
  agent::Features features = watchdog_features(chat_model);
  if (const auto json = base::read_json(path))
    if (auto cached = agent::Watchdog::from_json(*json))
      return agent::ModelWatchdog{std::move(*cached), std::move(features)};
  const auto learning = [&](std::string_view, size_t done, size_t total) {
    job.report("learning to understand requests (once a model)", done, total);
  };
  auto trained = TRY(agent::ModelWatchdog::train(std::move(features), job.reporting(learning)));
  TRY(base::make_dirs(folder));
  TRY(base::write_file_atomic(path, base::dump_json(trained.watchdog.to_json())));
  return trained;
}

}  // namespace

Result<IntentReader> IntentReader::make(const std::string& url, const model::ChatModel& chat_model,
                                        const base::Job& job) {
  IntentReader reader;
  if (url.empty())
    reader.builtin_ = TRY(trained_watchdog(chat_model, job));
  else
    reader.endpoint_ = TRY(agent::endpoint_from_url(url));
  return reader;
}

Result<agent::Reading> IntentReader::read(std::span<const text::Message> dialogue,
                                          const base::Job& job) const {
  return builtin_ ? builtin_->read(dialogue) : agent::ask_watchdog(*endpoint_, dialogue, job);
}

std::string as_message(const std::string& words) {
  // A whole request is left unchanged.
  for (const char* fragment : {"that ", "about ", "who ", "what ", "where ", "when ", "how "})
    if (words.starts_with(fragment)) return "Please forget " + words;
  return words;
}

std::vector<agent::Request> requests_of(const agent::Reading& reading) {
  std::vector<agent::Request> requests;
  for (const agent::WatchdogTarget& t : reading.targets)
    requests.push_back({t.prompt, t.response, t.replacement, {}, {}, {}});
  return requests;
}

}  // namespace expunge::service
