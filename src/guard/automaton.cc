#include "guard/automaton.h"

#include <algorithm>

namespace expunge::guard {

void Automaton::add(std::u32string_view word, uint32_t id) {
  uint32_t at = kStart;
  for (const char32_t symbol : word) {
    auto& edges = nodes_[at].edges;
    const auto found = std::find_if(edges.begin(), edges.end(),
                                    [&](const auto& edge) { return edge.first == symbol; });
    if (found != edges.end()) {
      at = found->second;
      continue;
    }
    const auto made = static_cast<uint32_t>(nodes_.size());
    edges.emplace_back(symbol, made);
    nodes_.emplace_back();
    at = made;
  }
  nodes_[at].ids.push_back(id);
}

void Automaton::build() {
  states_.assign(nodes_.size(), {});
  for (size_t i = 0; i < nodes_.size(); ++i) {
    auto& [edges, ids] = nodes_[i];
    std::sort(edges.begin(), edges.end());
    State& state = states_[i];
    state.first_edge = static_cast<uint32_t>(symbols_.size());
    for (const auto& [symbol, to] : edges) {
      symbols_.push_back(symbol);
      targets_.push_back(to);
    }
    state.last_edge = static_cast<uint32_t>(symbols_.size());
    state.first_id = static_cast<uint32_t>(ids_.size());
    ids_.insert(ids_.end(), ids.begin(), ids.end());
    state.last_id = static_cast<uint32_t>(ids_.size());
    if (!ids.empty()) state.output = static_cast<uint32_t>(i);
  }
  nodes_ = {};
  std::vector<uint32_t> queue = {kStart};
  for (size_t at = 0; at < queue.size(); ++at) {
    const uint32_t parent = queue[at];
    for (uint32_t e = states_[parent].first_edge; e < states_[parent].last_edge; ++e) {
      State& to = states_[targets_[e]];
      to.depth = states_[parent].depth + 1;
      to.fail = parent == kStart ? kStart : next(states_[parent].fail, symbols_[e]);
      if (to.output == kNone) to.output = states_[to.fail].output;
      queue.push_back(targets_[e]);
    }
  }
  for (const uint32_t state : queue) {
    if (states_[state].depth > kNear) break;
    std::array<uint32_t, 26> row;
    for (char32_t c = 0; c < 26; ++c) row[c] = next(state, 'a' + c);
    states_[state].row = static_cast<uint32_t>(rows_.size());
    rows_.push_back(row);
  }
}

uint32_t Automaton::child(uint32_t state, char32_t symbol) const {
  const char32_t* const first = symbols_.data() + states_[state].first_edge;
  const char32_t* const last = symbols_.data() + states_[state].last_edge;
  const char32_t* found = first;
  if (last - first > 8)
    found = std::lower_bound(first, last, symbol);
  else
    while (found != last && *found < symbol) ++found;
  return found != last && *found == symbol ? targets_[found - symbols_.data()] : kStart;
}

uint32_t Automaton::next(uint32_t state, char32_t symbol) const {
  while (true) {
    const uint32_t row = states_[state].row;
    if (row != kNone && symbol - 'a' < 26) return rows_[row][symbol - 'a'];
    const uint32_t to = child(state, symbol);
    if (to != kStart || state == kStart) return to;
    state = states_[state].fail;
  }
}

}  // namespace expunge::guard
