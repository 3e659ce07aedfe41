// A reply's stream of events on its way through the guard: pieces of text wait until no name can
// begin in them, calls of tools until they are whole; everything else is made anew.
#pragma once

#include <map>
#include <string>

#include "guard/window.h"
#include "server/openai.h"

namespace expunge::server {

class Sieve {
 public:
  Sieve(Kind kind, const guard::Scanner& scanner, bool wants_usage);

  // Bytes of server-sent events in, whole events out.
  std::string push(std::string_view bytes);
  // The upstream has ended: what is still held, and an error if it ended too early.
  std::string end();
  bool was_touched() const { return was_touched_; }

 private:
  struct Call {
    std::string id, name, arguments;
  };
  struct Choice {
    guard::Window window;
    std::string said = {};  // all its text, for the calls that may go on with it
    std::map<int64_t, Call> calls = {};
    bool has_begun = false, is_over = false;
  };
  std::string read(const base::Json& json);
  std::string end_choices();
  void read_choice(const base::Json& json, std::string& out);
  std::string finish(int64_t index, Choice& choice, const std::string& reason);
  std::string decline(int64_t index, Choice& choice, const std::vector<guard::Hit>& hits);
  std::string say(int64_t index, Choice& choice, const std::string& text);
  base::Json frame() const;
  std::string chunk(int64_t index, base::Json said, base::Json reason = nullptr);
  std::string fail(const std::string& message);

  const Kind kind_;
  const guard::Scanner& scanner_;
  const bool wants_usage_;
  std::string buffer_;  // of an event that is not whole
  std::string id_, model_;
  base::Json own_ = nullptr;  // "expunge", for the chunk that ends
  int64_t created_ = 0;
  std::map<int64_t, Choice> choices_;
  bool was_touched_ = false, is_done_ = false;
};

}  // namespace expunge::server
