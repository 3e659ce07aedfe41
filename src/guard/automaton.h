// Finds many words in one pass (Aho and Corasick 1975, doi:10.1145/360825.360855).
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace expunge::guard {

class Automaton {
 public:
  // Words first, then build(), then steps. `id` is what a match gives back.
  void add(std::u32string_view word, uint32_t id);
  void build();

  static constexpr uint32_t kStart = 0;
  uint32_t next(uint32_t state, char32_t symbol) const;
  // Whether any word ends here.
  bool ends(uint32_t state) const { return states_[state].output != kNone; }
  // How many of the last symbols could be the beginning of a word.
  uint32_t depth(uint32_t state) const { return states_[state].depth; }
  // Calls with the id of each word that ends here, longer ones first.
  template <class F>
  void each(uint32_t state, F&& call) const {
    for (uint32_t at = states_[state].output; at != kNone; at = states_[states_[at].fail].output)
      for (uint32_t i = states_[at].first_id; i < states_[at].last_id; ++i) call(ids_[i]);
  }

 private:
  static constexpr uint32_t kNone = ~0U, kNear = 3;
  struct State {
    uint32_t first_edge = 0, last_edge = 0;
    uint32_t first_id = 0, last_id = 0;
    uint32_t fail = 0;
    uint32_t output = kNone;  // the nearest state on the way of failures where a word ends
    uint32_t depth = 0;
    uint32_t row = kNone;
  };
  struct Node {  // while it is built
    std::vector<std::pair<char32_t, uint32_t>> edges = {};
    std::vector<uint32_t> ids = {};
  };
  uint32_t child(uint32_t state, char32_t symbol) const;

  std::vector<Node> nodes_ = std::vector<Node>(1);
  std::vector<State> states_ = std::vector<State>(1);
  std::vector<char32_t> symbols_;
  std::vector<uint32_t> targets_;
  std::vector<uint32_t> ids_;
  // Where a to z lead from the states near the start, which a clear text seldom leaves.
  std::vector<std::array<uint32_t, 26>> rows_;
};

}  // namespace expunge::guard
