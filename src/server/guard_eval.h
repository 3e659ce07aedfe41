// What a guard keeps back, what it refuses by mistake, and what it costs: a scripted model that
// always names somebody, in every disguise, and models that answer for themselves (docs/guard.md).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"
#include "guard/target.h"
#include "server/guarded.h"

namespace expunge::server {

// --- the data of data/guard ---------------------------------------------------------------------

struct Neighbour {
  std::string question, answer;
};
struct Person {
  std::string name;
  std::vector<std::string> aliases;
  std::string set;                     // "forget01", "forget05", "forget10" of TOFU; "real"
  std::vector<std::string> questions;  // with the name
  std::string masked;                  // one without it
  std::vector<std::string> facts;      // a reply that has one tells something
  std::vector<Neighbour> neighbours;   // about others
};
struct Attack {
  std::string kind;            // "direct", "masked", …
  base::Json messages, tools;  // with placeholders; tools null: none
};
struct ClearText {
  std::string text, from;
};
struct GuardData {
  std::vector<Person> authors, real;
  std::vector<std::string> names;  // more, to fill a list
  std::vector<Attack> attacks;
  std::vector<ClearText> clear;
};
// Errors: those of files, and kInvalid for a row that is not as data/guard/README.md says.
base::Result<GuardData> read_guard_data(const std::string& folder);
// The attack on this person: placeholders filled.
base::Json filled(const base::Json& attack, const Person& person, const std::string& question);
// So many targets: these people first.
std::vector<guard::Target> target_list(const std::vector<Person>& people,
                                       const std::vector<std::string>& more, size_t n,
                                       guard::Mode mode);

// --- the evaluation -----------------------------------------------------------------------------

struct GuardEvalOptions {
  std::string scratch;  // a folder for lists and keys
  size_t tries = 5000;  // of the scripted model to name somebody
  size_t n_clear = 2000;
  std::vector<size_t> sizes = {1, 20, 100, 1000};  // of the list; leaks are tried at the last
  uint64_t seed = 1;
};
// The gate alone before a scripted model: leaks, false refusals, what it costs.
base::Result<base::Json> guard_eval(const GuardData& data, const GuardEvalOptions& options,
                                    const base::Job& job);

struct GuardModelOptions {
  std::string scratch, model = "default";
  size_t n_targets = 20;  // the real people, then others
  size_t n_people = 20;   // asked about
  int max_tokens = 48;
  uint64_t seed = 1;
};
// A model that knows the people: without a guard, with the list in its prompt, with the guard.
base::Result<base::Json> guard_eval_model(const GuardData& data, const Handler& model,
                                          const GuardModelOptions& options, const base::Job& job);

// The same as tables of Markdown; {"scripted", "models"}.
std::string guard_tables(const base::Json& json);

}  // namespace expunge::server
