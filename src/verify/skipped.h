// Items of a data set that a pass leaves out, counted and named: an answer that the model's context
// cannot hold must neither stop the other items nor go unreported.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "model/model.h"

namespace expunge::verify {

struct Skipped {
  std::string set;  // the set or subject that its record would be in
  int64_t row = 0;
  std::string file, reason;
  bool operator==(const Skipped&) const = default;
};

// Why the model cannot score that many tokens; nothing if it can.
std::optional<std::string> over_length(const model::Arch& config, size_t n_tokens);

// "forget row 2 of qa.json: 12039 tokens, the model's context holds 8192"
std::string describe(const Skipped& skipped);

// [{"set", "row", "file", "reason"}]; errors name place and key.
base::Json skipped_to_json(const std::vector<Skipped>& skipped);
base::Result<std::vector<Skipped>> skipped_from_json(const base::Json& json, std::string_view file);

}  // namespace expunge::verify
