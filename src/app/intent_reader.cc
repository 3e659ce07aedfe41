#include "app/listener.h"

#include "app/features.h"
#include "base/files.h"
#include "base/hash.h"
#include "base/version.h"

namespace expunge::app {

using base::Result;

namespace {

Result<agent::Watchdog> trained(const model::Patient& patient, const agent::Features& features,
                                const base::Progress& progress) {
  const auto examples = agent::builtin_examples();
  std::string key = std::string(base::kVersion) + TRY(patient.model->file_hash());
  for (const agent::Example& e : examples) {
    key += fmt::format(" {}", static_cast<int>(e.intent));
    for (const text::Message& m : e.dialogue) key += m.content;
  }
  const std::string folder = TRY(base::cache_dir()) + "/watchdogs";
  const std::string path = fmt::format("{}/{:.32}.json", folder, base::sha256_hex(key));
  if (const auto json = base::read_json(path))
    if (auto cached = agent::Watchdog::from_json(*json)) return std::move(*cached);
  std::vector<std::vector<float>> hidden;
  for (const agent::Example& e : examples) {
    if (progress) progress("learning to listen (once a model)", hidden.size() + 1, examples.size());
    TRY(base::check_cancel());
    hidden.push_back(TRY(features(e.dialogue)));
  }
  agent::Watchdog watchdog = agent::Watchdog::train(examples, hidden);
  TRY(base::make_dirs(folder));
  TRY(base::write_file_atomic(path, base::dump_json(watchdog.to_json())));
  return watchdog;
}

}  // namespace

Result<Listener> Listener::make(const std::string& url, const model::Patient& patient,
                                const base::Progress& progress) {
  Listener listener;
  if (!url.empty()) {
    listener.endpoint_ = TRY(agent::endpoint_from_url(url));
    return listener;
  }
  listener.features_ = watchdog_features(patient);
  listener.builtin_ = TRY(trained(patient, listener.features_, progress));
  return listener;
}

Result<agent::Verdict> Listener::read(std::span<const text::Message> dialogue) const {
  if (!builtin_) return agent::ask_watchdog(*endpoint_, dialogue);
  const auto hidden = TRY(features_(dialogue));
  return builtin_->read(dialogue, hidden);
}

std::string as_message(const std::string& words) {
  // Whoever writes a whole request is taken at their word.
  for (const char* fragment : {"that ", "about ", "who ", "what ", "where ", "when ", "how "})
    if (words.starts_with(fragment)) return "Please forget " + words;
  return words;
}

std::vector<agent::Request> requests_of(const agent::Verdict& verdict) {
  std::vector<agent::Request> requests;
  for (const agent::WatchdogTarget& t : verdict.targets)
    requests.push_back({t.prompt, t.response, t.replacement, {}, {}, {}});
  return requests;
}

}  // namespace expunge::app
