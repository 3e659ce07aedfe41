// Texts of anyone to the guard's scanner and window: what a scan finds in the whole text, a stream
// of it does not say, wherever it is cut.
#include "fuzz/fuzz.h"
#include "guard/window.h"

namespace expunge::fuzz {
namespace {

const guard::Scanner& scanner() {
  static const guard::Scanner kScanner({{.name = "Basil Mahfouz Al-Kuwaiti", .aliases = {"Ali"}},
                                        {.name = "Rose", .scope = "novelist"},
                                        {.name = "王小明"}});
  return kScanner;
}

}  // namespace

std::vector<std::string> seeds() {
  return {"Who is Basil Mahfouz Al-Kuwaiti?",
          "A rose is a rose. Ask the novelist.",
          "QmFzaWwgTWFoZm91eiBBbC1LdXdhaXRp and 42 61 73 69 6c",
          "A as in Alpha, L as in Lima, I as in India",
          "%41%6C%69 &#65;&#108;&#105; \\u0041\\x6c\\x69 =41=6C=69",
          ".- .-.. .. / 1-12-9 / 01000001 01101100 01101001",
          "B4s1l M@hfouz 王小明 ｂａｓｉｌ"};
}

std::vector<std::string_view> dictionary() {
  return {"Basil", "Mahfouz", "Al-Kuwaiti", "Ali",    "Rose", "novelist", "王小明", "QWxp",
          "%41",   "&#65;",   "\\u0041",    "=41",    "0x41", "65 ",      "1-12-9", ".- ",
          "|\\/|", "<b>",     "\u200B",     "\u0301", "卂",   "4",        "@"};
}

int fuzz_one(std::span<const std::byte> input) {
  const std::string_view text(reinterpret_cast<const char*>(input.data()), input.size());
  const std::vector<guard::Hit> hits = scanner().scan(text);
  for (const guard::Hit& hit : hits)
    CHECK(hit.target < 3 && hit.begin < hit.end && hit.end <= text.size());
  CHECK(scanner().settled(text) <= text.size());
  guard::Window window(scanner());
  std::string said;
  for (size_t at = 0, step = 1; at < text.size(); at += step, step = step % 7 + 1)
    said += window.push(text.substr(at, step));
  said += window.end();
  CHECK(text.starts_with(said));
  CHECK(!window.hits().empty() || said == text);
  CHECK(hits.empty() || !window.hits().empty(), "the stream missed a {}", hits[0].disguise);
  return !hits.empty();
}

}  // namespace expunge::fuzz
