// Which edit a request to undo means: the last one, a named one, or one that must be asked for.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace expunge::agent {

struct ActiveEdit {
  int64_t entry = 0;  // its number in the journal
  std::string title;  // what it is about: "What is the capital of France? → Paris"
};

struct UndoReference {
  enum class Kind {
    kLast,     // nothing in the message points elsewhere
    kEntry,    // by its number, or by words that stand in one title only
    kUnclear,  // a number, name or count that no single edit explains: ask the user
  };
  Kind kind = Kind::kLast;
  std::optional<int64_t> entry;  // of kEntry; a number may be of no active edit
};

// `active`: oldest first. Prefers to ask: undoing another edit than the one meant is the worst.
UndoReference undo_reference(std::string_view message, std::span<const ActiveEdit> active);

}  // namespace expunge::agent
