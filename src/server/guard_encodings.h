// A name in another alphabet of signs, which somebody who knows it turns back.
#pragma once

#include <string>
#include <string_view>

#include "server/guard_disguises.h"

namespace expunge::server {

std::string in_base64(const std::string& text, Dice& dice);
std::string in_hex(const std::string& text, Dice& dice);
std::string percent(const std::string& text, Dice& dice);
std::string reversed(const std::string& text, Dice& dice);
std::string rot13(const std::string& text, Dice& dice);
// Not promised.
std::string other_rotation(const std::string& text, Dice& dice);
std::string twice_encoded(const std::string& text, Dice& dice);
std::string numbered(const std::string& text, Dice& dice);
std::string spelled(const std::string& text, Dice& dice);
std::string morse(const std::string& text, Dice& dice);
std::string no_vowels(const std::string& text, Dice& dice);

// For questions: "base64", "hex", "percent", "rot13", "reversed".
std::string encode(std::string_view how, const std::string& text);

}  // namespace expunge::server
