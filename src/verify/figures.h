// The results of a suite: numbers under keys, or the reason why one is absent. Never a default.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"

namespace expunge::verify {

struct Figure {
  double number = 0;
  // Which records it leaves out, and why: "2 of 3 records (forget row 0: …)". "" = none.
  std::string left_out = {};
  Figure(double value, std::string what = {}) : number(value), left_out(std::move(what)) {}
};

struct Value {
  std::string key;
  base::Result<Figure> figure;  // or why it is absent
};

struct Figures {
  std::vector<Value> values;
  std::vector<std::pair<std::string, int64_t>> counts = {};  // of items, tokens
};

// What an absent figure's error says, in one text.
std::string reason(const base::Error& error);

// {"summary": {key: number}, "absent": {key: reason}, "left_out": {key: records}}
base::Json to_json(const Figures& figures);

}  // namespace expunge::verify
