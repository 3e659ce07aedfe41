#include "verify/refusal.h"

#include <re2/re2.h>

namespace expunge::verify {

bool is_refusal(std::string_view reply) {
  static const RE2 kRefusal(
      R"((?i)(?:don't|do not|doesn't|cannot|can't|not able to|unable to|no longer)\s+)"
      R"((?:\w+\s+){0,2}(?:know|recall|remember|answer|help|provide|have|say|tell)|)"
      R"(\bi'?m sorry\b|\bnot (?:sure|aware)\b|no information)");
  return RE2::PartialMatch(reply, kRefusal);
}

}  // namespace expunge::verify
