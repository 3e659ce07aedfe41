#include "service/access.h"

#include <unistd.h>

#include <cerrno>

namespace expunge::service {
namespace {

using base::Code;
using base::fail;
using base::Result;

// A mistyped --journal must not act as an empty journal.
base::Status check_named(const std::string& file) {
  if (file.empty() || ::access(file.c_str(), F_OK) == 0 || errno != ENOENT) return {};
  return fail(Code::kNotFound, fmt::format("no journal at '{}'", file),
              "leave out --journal for the model's own");
}

}  // namespace

void say_notes(const model::ChatModel& chat_model, const Note& note) {
  if (!note) return;
  for (const std::string& text : chat_model.notes) note(text);
}

Result<model::ChatModel> load_model(const Place& place, const Note& note) {
  auto chat_model = TRY(model::load_chat_model(place.model, place.activations));
  say_notes(chat_model, note);
  return chat_model;
}

Result<std::unique_ptr<Session>> open_session(const Place& place, journal::Mode mode) {
  if (mode != journal::Mode::kReadWrite) TRY(check_named(place.journal));
  return Session::open({place.model, place.journal, mode, place.activations});
}

Result<std::optional<journal::Journal>> open_journal(const Place& place, journal::Mode mode) {
  TRY(check_named(place.journal));
  const std::string path = TRY(model::find_model(place.model));
  const model::Model model = TRY(model::Model::load(path));
  const journal::ModelIdentity identity{TRY(model.file_hash()), "", path};
  std::string file = place.journal;
  if (file.empty()) file = TRY(journal::default_path(identity.file_hash));
  auto journal = journal::Journal::open(file, identity, {mode, "", "", 5000});
  if (!journal && journal.error().code == Code::kNotFound) return std::nullopt;
  return TRY(std::move(journal));
}

Result<Reader> Reader::open(const Place& place, Edits edits) {
  Reader reader;
  if (edits == Edits::kApplied)
    reader.chat_model_ = TRY(open_session(place, journal::Mode::kReadOrEmpty))->present();
  else
    reader.chat_model_ = TRY(load_model(place, {}));
  return reader;
}

}  // namespace expunge::service
