// What a written model says to the questions of the journal's active entries.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "journal/journal.h"

namespace expunge::app {

struct ShippedEntry {
  int64_t id = 0;
  size_t asked = 0, forgotten = 0;
  std::vector<std::string> leaks;  // questions whose reply reveals the answer
};
struct Shipped {
  std::vector<ShippedEntry> entries;
  size_t asked = 0, forgotten = 0, sealed = 0;
};

// Loads `path` and asks the exact questions and held wordings of every active unsealed entry.
base::Result<Shipped> ask_shipped(const std::string& path, const journal::Journal& journal);
base::Json to_json(const Shipped& shipped);

}  // namespace expunge::app
