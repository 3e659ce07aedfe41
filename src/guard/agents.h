// What the guard's agents are told, and how their answers are read.
//
// What comes from outside (question, draft, variants) stands between marks with a code that nobody
// can guess, so that it cannot pose as an instruction. What comes back is read strictly.
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "guard/target.h"
#include "text/message.h"

namespace expunge::guard {

using Prompt = std::array<text::Message, 2>;  // system and user

struct Material {
  std::vector<const Target*> targets = {};  // those that were touched
  std::string query = {}, draft = {};
  std::string code = {};  // of the marks
};

// Writes `variants` cleaned answers: a JSON list of so many texts.
Prompt erase_prompt(const Material& material, size_t variants);
// Scores each: a JSON list of {"privacy", "usefulness"}, 1 to 5.
Prompt critic_prompt(const Material& material, std::span<const std::string> variants);
// Merges them: a JSON list of one text.
Prompt composer_prompt(const Material& material, std::span<const std::string> variants);

struct Score {
  double privacy = 0, usefulness = 0;
};

// A JSON list, perhaps in a code fence, of just so many. Errors: kInvalid; prose around the list, a
// field besides, a score out of range.
base::Result<std::vector<std::string>> read_texts(std::string_view reply, size_t count);
base::Result<std::vector<Score>> read_scores(std::string_view reply, size_t count);

}  // namespace expunge::guard
