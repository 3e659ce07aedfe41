#include "agent/authority.h"

#include <re2/re2.h>

#include <algorithm>
#include <array>

namespace expunge::agent {
namespace {

using re2::StringPiece;

RE2::Options any_case() {
  RE2::Options options;
  options.set_case_sensitive(false);
  return options;
}

// "forget everything" in one language: a verb, some characters, an object. What follows the object
// may narrow the order ("everything about wine"); RE2 has no lookahead, so the parts are separate.
struct Order {
  RE2 verb_and_gap;  // ends where the object begins
  RE2 object;
  RE2 narrowed;
  Order(const char* verb, const char* what, const char* rest)
      : verb_and_gap(verb, any_case()), object(what, any_case()), narrowed(rest, any_case()) {}
};

const std::array<Order, 4>& orders() {
  static const std::array<Order, 4> kOrders = {
      Order(R"(\b(?:forget|erase|delete|remove|unlearn|wipe|clear)\b.{0,40}$)",
            R"(\b(?:everything|all (?:you|your) )"
            R"((?:know|knowledge|weights|memory|memories|training)|all knowledge|all of it|)"
            R"(your (?:whole |entire )?(?:memory|knowledge|training|weights))\b)",
            R"(\s+(?:(?:that\s+)?(?:you|we|i)(?:'ve)?\s+\w+(?:\s+\w+)?\s+)?)"
            R"((?:about|of|on|concerning|regarding|related)\b|)"
            R"(\s+(?:that\s+)?(?:i (?:told|said|gave)|we))"),
      Order(R"(\b(?:vergiss|lösche)\b.{0,20}$)", R"(\balles\b)",
            R"(,?\s+(?:was\s+(?:du|sie)\s+)?(?:über|von|zu)\b|,?\s+was\s+(?:ich|wir)\b)"),
      Order(R"(\b(?:olvida|borra)(?:lo)?\b.{0,10}$)", R"(\btodo\b)",
            R"(\s+(?:lo que \w+\s+)?(?:sobre|acerca|de)\b|\s+lo que (?:te|he|yo)\b)"),
      Order(R"(\boublie[rz]?\b.{0,10}$)", R"(\btout\b)",
            R"(\s+(?:ce que tu sais\s+)?(?:sur|de)\b|\s+ce que (?:je|nous)\b)")};
  return kOrders;
}

bool is_given(const Order& order, StringPiece words) {
  // Longer than the longest verb with its gap in characters of four bytes.
  constexpr size_t kWindow = 256;
  StringPiece object;
  for (size_t at = 0; order.object.Match(words, at, words.size(), RE2::UNANCHORED, &object, 1);) {
    const auto begin = static_cast<size_t>(object.data() - words.data());
    at = begin + object.size();
    if (order.narrowed.Match(words, at, words.size(), RE2::ANCHOR_START, nullptr, 0)) continue;
    const size_t from = begin - std::min(begin, kWindow);
    const StringPiece before = words.substr(from, begin - from);
    // "remove my address from your memory": that is where it goes from, not what goes.
    static const RE2 kPlace(R"(\b(?:from|in|within|out of|off)\s*$)", any_case());
    if (RE2::PartialMatch(before, kPlace)) continue;
    if (RE2::PartialMatch(before, order.verb_and_gap)) return true;
  }
  return false;
}

bool asks_for_everything(StringPiece words) {
  static const RE2 kWhole(
      R"(忘记一切|忘掉一切|删除所有|^\W*what do you know(?: about (?:everything|all))?\W*$)",
      any_case());
  return RE2::PartialMatch(words, kWhole) ||
         std::ranges::any_of(orders(), [&](const Order& o) { return is_given(o, words); });
}

bool asks_for_safety(StringPiece words) {
  static const RE2 kSafety(
      R"(\b(?:safety|safeguards?|guard ?rails?|alignment|refus\w*|content (?:policy|filters?)|)"
      R"(ethic\w*|harmless\w*|moderation)\b.{0,40}\b(?:training|rules?|behaviou?rs?|guidelines?|)"
      R"(instructions?|polic\w+|limits?|restrictions?|filters?|mechanisms?|constraints?)\b|)"
      R"(\b(?:forget|unlearn|remove|erase|drop|disable|shed)\b.{0,30}\b(?:your|the|all|any) )"
      R"((?:safety|safeguards?|guard ?rails?|alignment|refusals?|restrictions|ethics|moral\w*|)"
      R"(content polic\w+|limitations)\b|)"
      R"(\b(?:how|when) to (?:refuse|say no|decline)\b|)"
      R"(\bwhy you (?:should )?(?:refuse|decline)\b|)"
      R"(\bthat you (?:must|should|have to|are supposed to) (?:refuse|decline|not help)\b|)"
      R"(安全(?:限制|规则|策略)|sicherheits(?:regeln|richtlinien|vorgaben)|)"
      R"(reglas de seguridad|règles de sécurité)",
      any_case());
  return RE2::PartialMatch(words, kSafety);
}

}  // namespace

base::Status check_authority(std::string_view words) {
  if (asks_for_everything(words))
    return base::fail(base::Code::kRefused, "a request to forget everything is refused",
                      "name the facts, persons or answers to be forgotten");
  if (asks_for_safety(words))
    return base::fail(base::Code::kRefused, "a request to forget safety behaviour is refused",
                      "expunge removes facts, not what keeps the model safe");
  return {};
}

}  // namespace expunge::agent
