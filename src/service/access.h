// How a use case gets its model and journal.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "service/session.h"

namespace expunge::service {

// Whose model and which journal, as the user names them.
struct Place {
  std::string model;    // as model::find_model takes it
  std::string journal;  // "" = the model's own
  tensor::Activations activations = tensor::Activations::kFloat;
};

// Takes what the user should know besides the result.
using Note = std::function<void(const std::string& text)>;
// What there is to know about the model's text side.
void say_notes(const model::ChatModel& chat_model, const Note& note);

// The model without its edits.
base::Result<model::ChatModel> load_model(const Place& place, const Note& note);
// The model with its journal. A journal that the place names must exist, unless the mode is
// kReadWrite.
base::Result<std::unique_ptr<Session>> open_session(const Place& place, journal::Mode mode);
// The journal alone; nothing if there is none yet. One that the place names must exist.
base::Result<std::optional<journal::Journal>> open_journal(const Place& place, journal::Mode mode);

enum class Edits { kApplied, kIgnored };

// The model as it answers now: its file plus the active edits. Never creates a journal.
class Reader {
 public:
  static base::Result<Reader> open(const Place& place, Edits edits);
  const model::ChatModel& chat_model() const { return *chat_model_; }

 private:
  std::optional<model::ChatModel> chat_model_;
};

}  // namespace expunge::service
