// How a command comes to its model and journal.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "app/command.h"
#include "repair/session.h"

namespace expunge::app {

enum class Edits { kApplied, kIgnored };

// Joins the group of processes that the environment speaks of; all but rank 0 fall silent.
base::Status join_group(Context& context);

// The model with its journal. A journal that --journal names must be there, unless the mode is
// kReadWrite.
base::Result<std::unique_ptr<repair::Session>> open_session(Context& context, journal::Mode mode);
// The journal alone; nothing where there is none yet. One that --journal names must be there.
base::Result<std::optional<journal::Journal>> open_journal(Context& context, journal::Mode mode);

// The model as it answers now: its file plus the active edits. Never makes a journal.
class Reader {
 public:
  static base::Result<Reader> open(Context& context, Edits edits);
  const model::ChatModel& patient() const { return *patient_; }

 private:
  std::optional<model::ChatModel> patient_;
};

// Whole stdin; kInvalid if it is not UTF-8 or above 16 MB.
base::Result<std::string> read_stdin();

}  // namespace expunge::app
