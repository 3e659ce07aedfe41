// A fuzz target: three functions that one <target>_fuzz.cc defines and driver.cc calls.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace expunge::fuzz {

std::vector<std::string> seeds();            // valid inputs; mutation starts from them
std::vector<std::string_view> dictionary();  // words of the format
// Reads one input. 1 if it was accepted, 0 if it was refused with an Error. What it throws, a
// crash, a sanitizer's report or a hang is a finding.
int fuzz_one(std::span<const std::byte> input);

}  // namespace expunge::fuzz
