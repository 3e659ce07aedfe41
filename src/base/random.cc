#include "base/random.h"

#include <openssl/rand.h>

#include <string_view>
#include <vector>

#include "base/error.h"

namespace expunge::base {

std::string random_text(size_t n_characters) {
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::vector<unsigned char> bytes(n_characters);
  CHECK(RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) == 1);
  std::string text;
  for (const unsigned char b : bytes) text += kAlphabet[b % kAlphabet.size()];
  return text;
}

}  // namespace expunge::base
