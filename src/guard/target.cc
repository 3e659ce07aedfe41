#include "guard/target.h"

namespace expunge::guard {

std::string_view name(Mode mode) {
  switch (mode) {
    case Mode::kRewrite:
      return "rewrite";
    case Mode::kRefuse:
      return "refuse";
    case Mode::kIdk:
      return "idk";
  }
  return "";
}

std::optional<Mode> mode_from_name(std::string_view text) {
  for (const Mode mode : {Mode::kRewrite, Mode::kRefuse, Mode::kIdk})
    if (name(mode) == text) return mode;
  return std::nullopt;
}

}  // namespace expunge::guard
