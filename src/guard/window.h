// A stream that is checked before it is let out.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "guard/scanner.h"

namespace expunge::guard {

// Holds back what could be the beginning of a name. A stream of n bytes takes time linear in n.
class Window {
 public:
  explicit Window(const Scanner& scanner) : scanner_(scanner) {}

  // What may be said now, at a character's boundary. Once hits() has any, nothing more.
  std::string push(std::string_view piece);
  // The rest, when the stream has ended.
  std::string end();
  const std::vector<Hit>& hits() const { return hits_; }

 private:
  std::vector<Hit> look(size_t end, bool is_end);

  const Scanner& scanner_;
  std::string text_;       // what was said and what is held, as far as a scan needs it
  size_t dropped_ = 0;     // bytes of the stream before text_
  size_t said_ = 0;        // bytes of text_ that were let out
  size_t scanned_ = 0;     // bytes of text_ when all of it was last scanned
  std::vector<Hit> hits_;  // places in the stream
};

}  // namespace expunge::guard
