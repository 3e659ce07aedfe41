// The one place that prints: answers on stdout, everything else on stderr; colour on a terminal
// only.
#pragma once

#include <fmt/format.h>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "base/job.h"
#include "base/json.h"
#include "cli/estimate.h"

namespace expunge::cli {

enum class Tone { kPlain, kBold, kDim, kGood, kBad, kWarn, kAccent };
enum class Output { kText, kJson, kNone };
enum class Notes { kShown, kQuiet };

class Terminal {
 public:
  // The job is cancelled when stdout has no reader; a cancelled job ends waiting for a line.
  explicit Terminal(base::Job job);
  void configure(Output output, Notes notes);
  bool json() const { return output_ == Output::kJson; }
  // A person is at the terminal: questions may be asked.
  bool interactive() const { return tty_in_ && tty_err_; }

  // Text of the answer, on stdout; nothing with --json.
  void print(std::string_view text);
  template <class... Args>
  void line(fmt::format_string<Args...> format, Args&&... args) {
    print(fmt::format(format, std::forward<Args>(args)...) + "\n");
  }
  // Further information for a person, on stderr.
  void note(std::string_view text);
  std::string paint(Tone tone, std::string_view text) const;

  // The one object of --json, and errors.
  void print_json(const base::Json& json);
  void print_error(const base::Error& error);

  // One line on stderr with the time left, rewritten; off a terminal a line every ten seconds of
  // long work.
  base::Progress progress();
  void clear_progress();

  // A line of stdin without its end; nothing at its end or on Ctrl+C. kInvalid if it is not UTF-8.
  base::Result<std::optional<std::string>> read_line(std::string_view prompt);
  // [y/N] of a person; kCancelled on Ctrl+C.
  base::Result<bool> confirm(std::string_view question);
  // The first letter of the answer if it is one of `letters`, else asked again; kCancelled.
  base::Result<char> choose(std::string_view question, std::string_view letters);

  // Flushes stdout. kIo if something could not be written; a closed pipe is kCancelled.
  base::Status finish();

 private:
  void show_progress(std::string_view what, size_t done, size_t total);

  base::Job job_;
  Output output_ = Output::kText;
  Notes notes_ = Notes::kShown;
  bool tty_in_, tty_out_, tty_err_, colour_out_, colour_err_;
  size_t shown_ = 0;  // columns of the progress line on the screen
  std::chrono::steady_clock::time_point last_shown_{};
  Estimate estimate_;
  std::string buffer_;  // of stdin
  bool at_end_ = false;
  int write_error_ = 0;
};

std::string duration(double seconds);  // "240 ms", "3.2 s", "2 min 5 s"

}  // namespace expunge::cli
