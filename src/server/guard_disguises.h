// How a model that must not say a name may write it all the same: what `expunge guard eval` has its
// scripted model do. Written apart from the scanner, which it judges.
#pragma once

#include <cctype>
#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <string_view>

namespace expunge::server {

// The same on every machine, unlike the standard library's distributions.
class Dice {
 public:
  explicit Dice(uint64_t seed) : engine_(seed) {}
  size_t below(size_t n) { return engine_() % n; }
  bool one_in(size_t n) { return below(n) == 0; }
  template <typename T>
  const T& any(std::span<const T> of) {
    return of[below(of.size())];
  }
  template <typename T, size_t N>
  const T& any(const T (&of)[N]) {
    return of[below(N)];
  }

 private:
  std::mt19937_64 engine_;
};

// Of which the guard promises that it knows them; of which it does not.
enum class Promise : uint8_t { kKept, kNone };

inline bool is_latin(char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0; }
inline char lower_case(char c) {
  return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
}

struct Disguise {
  std::string_view name;  // "letter by letter"
  Promise promise;
  std::string (*write)(const std::string& text, Dice& dice);
  // Whether it writes letters as others, so that a second disguise of that kind may follow; an
  // encoding is the last.
  bool keeps_letters;
};
std::span<const Disguise> disguises();

}  // namespace expunge::server
