#include "guard/fuzzy.h"

#include <algorithm>
#include <array>
#include <bit>

namespace expunge::guard {
namespace {

constexpr size_t kTooFar = 9;
constexpr size_t kMostUnits = 160;

// A walk over the units that are read, away from the piece.
struct Side {
  std::array<uint32_t, kMostUnits> units;  // places; as many as `size` are set
  size_t size = 0;
};

Side before(std::span<const Unit> units, size_t first, size_t most, Reads which) {
  Side out;
  while (first-- > 0 && out.size < std::min(most, kMostUnits))
    if (reads(which, units[first])) out.units[out.size++] = static_cast<uint32_t>(first);
  return out;
}

Side after(std::span<const Unit> units, size_t last, size_t most, Reads which) {
  Side out;
  while (++last < units.size() && out.size < std::min(most, kMostUnits))
    if (reads(which, units[last])) out.units[out.size++] = static_cast<uint32_t>(last);
  return out;
}

// Another letter in a short word of a name makes another name: "Hall", "Hill". It counts twice.
std::vector<uint8_t> costs(const Pattern& pattern) {
  std::vector<uint8_t> out(pattern.letters.size(), 1);
  for (size_t begin = 0; begin < out.size();) {
    size_t end = begin + 1;
    while (end < out.size() && !pattern.breaks[end]) ++end;
    if (end - begin < 5) std::fill(out.begin() + long(begin), out.begin() + long(end), 2);
    begin = end;
  }
  return out;
}

uint32_t bit(char32_t c) { return 1U << (coarse(c) & 31); }
uint32_t letter_set(const Pattern& pattern) {
  uint32_t out = 0;
  for (const char32_t c : pattern.letters) out |= bit(c);
  return out;
}

// Letters `n`, taken by `letter(i)`, against the side; `fits(j)`: the name may end after j units.
template <class Letter, class Fits>
std::array<int, 3> align(size_t n, const Side& side, std::span<const Unit> units, Letter&& letter,
                         Fits&& fits, size_t most) {
  std::array<int, 3> best = {-1, -1, -1};
  const size_t width = side.size + 1;
  std::vector<uint8_t> rows(3 * width, kTooFar);
  uint8_t *two = rows.data(), *one = two + width, *now = one + width;
  for (size_t j = 0; j < width; ++j) now[j] = static_cast<uint8_t>(std::min(j, kTooFar));
  for (size_t i = 1; i <= n; ++i) {
    std::swap(two, one);
    std::swap(one, now);
    const auto [c, cost] = letter(i - 1);
    for (size_t j = 0; j < width; ++j) {
      size_t least = one[j] + size_t{1};
      if (j > 0) {
        const Unit& unit = units[side.units[j - 1]];
        least =
            std::min({least, size_t{now[j - 1]} + 1, one[j - 1] + (may_be(unit, c) ? 0 : cost)});
        if (i > 1 && j > 1 && may_be(unit, letter(i - 2).first) &&
            may_be(units[side.units[j - 2]], c))
          least = std::min(least, size_t{two[j - 2]} + 1);
      }
      now[j] = static_cast<uint8_t>(std::min(least, kTooFar));
    }
  }
  for (size_t j = 0; j < width; ++j)
    if (now[j] <= most && best[now[j]] < 0 && fits(j)) best[now[j]] = static_cast<int>(j);
  return best;
}

}  // namespace

size_t allowed_edits(const Pattern& pattern) {
  if (!pattern.is_main) return 0;
  const size_t n = pattern.letters.size();
  return n >= 14 ? 2 : n >= 8 ? 1 : 0;
}

std::vector<Piece> pieces(const Pattern& pattern, uint32_t index) {
  const size_t edits = allowed_edits(pattern), n = pattern.letters.size();
  std::vector<Piece> out;
  if (edits == 0 || n > 128) return out;
  const std::u32string& letters = pattern.letters;
  for (size_t i = 0; i <= edits; ++i) {
    const size_t from = i * n / (edits + 1), to = (i + 1) * n / (edits + 1);
    out.push_back({index, uint32_t(from), uint32_t(to - from), 0, letters.substr(from, to - from)});
    if (to == n || letters[to - 1] == letters[to]) continue;
    std::u32string swapped = letters.substr(to - 3, 6);
    std::swap(swapped[2], swapped[3]);
    out.push_back({index, uint32_t(to - 3), 2, uint32_t(swapped.size() - 2), swapped});
  }
  return out;
}

std::optional<Place> fuzzy_at(const Pattern& pattern, const Piece& piece,
                              std::span<const Unit> units, size_t last, Reads which) {
  const size_t n = pattern.letters.size(), most = allowed_edits(pattern);
  for (size_t back = piece.back; back > 0; --back) {
    do {
      if (last == 0) return std::nullopt;
      --last;
    } while (!reads(which, units[last]));
  }
  size_t first = last + 1;
  for (size_t i = piece.size; i-- > 0;) {
    do {
      if (first == 0) return std::nullopt;
      --first;
    } while (!reads(which, units[first]));
    if (!may_be(units[first], pattern.letters[piece.offset + i])) return std::nullopt;
  }
  const size_t end = piece.offset + piece.size;
  const Side left = before(units, first, piece.offset + most, which);
  const Side right = after(units, last, n - end + most, which);
  uint32_t there = 0;
  for (size_t i = piece.offset; i < end; ++i) there |= bit(pattern.letters[i]);
  for (const Side* side : {&left, &right})
    for (size_t i = 0; i < side->size; ++i) there |= bit(units[side->units[i]].letter);
  if (std::popcount(letter_set(pattern) & ~there) > int(most)) return std::nullopt;
  const std::vector<uint8_t> cost = costs(pattern);
  const auto at = [&](size_t i) {
    return std::pair<char32_t, size_t>(pattern.letters[i], cost[i]);
  };
  const auto begins = align(
      piece.offset, left, units, [&](size_t i) { return at(piece.offset - 1 - i); },
      [&](size_t j) { return begins_at(units, j == 0 ? first : left.units[j - 1]); }, most);
  if (begins[0] < 0 && begins[1] < 0 && begins[2] < 0) return std::nullopt;
  const auto stops = align(
      n - end, right, units, [&](size_t i) { return at(end + i); },
      [&](size_t j) { return stops_at(units, j == 0 ? last : right.units[j - 1]); }, most);
  for (size_t a = 0; a <= most; ++a)
    for (size_t b = 0; a + b <= most; ++b)
      if (begins[a] >= 0 && stops[b] >= 0)
        return Place{begins[a] == 0 ? first : left.units[size_t(begins[a]) - 1],
                     stops[b] == 0 ? last : right.units[size_t(stops[b]) - 1], "misspelled"};
  return std::nullopt;
}

}  // namespace expunge::guard
