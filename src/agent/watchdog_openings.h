// Where in a message an order could begin.
#pragma once

#include <vector>

#include "agent/watchdog_text.h"

namespace expunge::agent {

// Sets `opens` of every word that follows a sentence's end, a comma, a colon or a dash by fillers
// alone ("please", "can you").
void mark_openings(std::vector<Word>& words);

}  // namespace expunge::agent
