// One consistent state of a model: its file, the active edits, and the edited model.
#pragma once

#include <cstdint>
#include <vector>

#include "edit/edit.h"
#include "model/chat_model.h"

namespace expunge::repair {

// An immutable value: a chat, a verification and a request each work on their own.
struct Snapshot {
  int64_t head = 0;               // of the journal: its last entry when this was made
  model::ChatModel base;          // without edits
  std::vector<edit::Edit> edits;  // active, in the journal's order
  model::ChatModel present;       // base with the edits
};

}  // namespace expunge::repair
