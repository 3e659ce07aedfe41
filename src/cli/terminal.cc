#include "cli/terminal.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "cli/layout.h"

namespace expunge::cli {
namespace {

using base::Code;
using base::fail;
using base::Result;

bool set(const char* name) {
  const char* value = std::getenv(name);
  return value && *value;
}

bool allows_colour() {
  const char* term = std::getenv("TERM");
  return !set("NO_COLOR") && !(term && std::string_view(term) == "dumb");
}

std::string painted(Tone tone, std::string_view text) {
  static constexpr const char* kCodes[] = {"", "1", "2", "32", "31", "33", "36"};
  if (tone == Tone::kPlain) return std::string(text);
  return fmt::format("\x1b[{}m{}\x1b[0m", kCodes[static_cast<size_t>(tone)], text);
}

}  // namespace

Terminal::Terminal(base::Job job)
    : job_(std::move(job)),
      tty_in_(isatty(STDIN_FILENO)),
      tty_out_(isatty(STDOUT_FILENO)),
      tty_err_(isatty(STDERR_FILENO)),
      colour_out_(tty_out_ && allows_colour()),
      colour_err_(tty_err_ && allows_colour()) {}

void Terminal::configure(Output output, Notes notes) {
  output_ = output;
  notes_ = notes;
}

void Terminal::print(std::string_view text) {
  if (output_ != Output::kText || write_error_) return;
  clear_progress();
  if (std::fwrite(text.data(), 1, text.size(), stdout) < text.size()) write_error_ = errno;
  if (std::fflush(stdout) != 0) write_error_ = errno;
  // The pipe has no reader: generation for it may stop.
  if (write_error_ == EPIPE) {
    job_.cancel();
  }
}

void Terminal::note(std::string_view text) {
  if (notes_ == Notes::kQuiet) return;
  clear_progress();
  fmt::print(stderr, "{}\n", text);
}

std::string Terminal::paint(Tone tone, std::string_view text) const {
  return colour_out_ && !json() ? painted(tone, text) : std::string(text);
}

void Terminal::print_json(const base::Json& json) {
  clear_progress();
  const std::string text = base::dump_json(json) + "\n";
  if (std::fwrite(text.data(), 1, text.size(), stdout) < text.size()) write_error_ = errno;
}

void Terminal::print_error(const base::Error& error) {
  clear_progress();
  std::fflush(stdout);
  std::string where;  // outermost first
  for (auto it = error.trail.rbegin(); it != error.trail.rend(); ++it) where += *it + ": ";
  const std::string message = printable(where + error.message);
  if (json()) {
    print_json({{"error",
                 {{"code", base::code_info(error.code).name},
                  {"message", message},
                  {"hint", printable(error.hint)}}}});
    return;
  }
  const auto paint = [&](Tone tone, std::string_view text) {
    return colour_err_ ? painted(tone, text) : std::string(text);
  };
  fmt::print(stderr, "{} {}\n", paint(Tone::kBad, "error:"), message);
  if (!error.hint.empty())
    fmt::print(stderr, "{} {}\n", paint(Tone::kAccent, "hint:"), printable(error.hint));
}

base::Progress Terminal::progress() {
  return [this](std::string_view what, size_t done, size_t total) {
    show_progress(what, done, total);
  };
}

void Terminal::show_progress(std::string_view what, size_t done, size_t total) {
  if (notes_ == Notes::kQuiet) return;
  using std::chrono::milliseconds;
  const auto now = std::chrono::steady_clock::now();
  if (last_shown_.time_since_epoch().count() == 0) last_shown_ = now;
  const auto left =
      estimate_.left(done, total, std::chrono::duration<double>(now.time_since_epoch()).count());
  const bool finished = total > 0 && done >= total;
  const auto pause = tty_err_ ? milliseconds(60) : milliseconds(10000);
  if (now - last_shown_ < pause && !(finished && shown_ > 0)) return;
  last_shown_ = now;
  std::string text = printable(one_line(what));
  if (total > 0) text += fmt::format("  {}/{}", done, total);
  if (left && *left >= 1)
    text += *left < 60 ? fmt::format(", {:.0f} s left", *left)
                       : fmt::format(", {:.0f} min left", *left / 60);
  if (!tty_err_) {
    fmt::print(stderr, "{}\n", text);
    return;
  }
  text = fit(text, kColumns - 1);
  fmt::print(stderr, "\r\x1b[K{}", colour_err_ ? painted(Tone::kDim, text) : text);
  std::fflush(stderr);
  shown_ = columns(text);
}

void Terminal::clear_progress() {
  if (shown_ == 0) return;
  fmt::print(stderr, "\r\x1b[K");
  std::fflush(stderr);
  shown_ = 0;
}

Result<std::optional<std::string>> Terminal::read_line(std::string_view prompt) {
  clear_progress();
  std::fflush(stdout);
  if (tty_in_ && !prompt.empty()) {
    fmt::print(stderr, "{}", colour_err_ ? painted(Tone::kBold, prompt) : std::string(prompt));
    std::fflush(stderr);
  }
  // read(2), not iostreams, which continue after a signal.
  size_t end;
  while ((end = buffer_.find('\n')) == std::string::npos && !at_end_) {
    if (job_.cancelled()) return std::nullopt;
    char bytes[4096];
    const ssize_t n = ::read(STDIN_FILENO, bytes, sizeof bytes);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(Code::kIo, fmt::format("cannot read stdin: {}", std::strerror(errno)));
    at_end_ = n == 0;
    buffer_.append(bytes, static_cast<size_t>(n));
    constexpr size_t kMaxLine = size_t{16} << 20;
    if (buffer_.size() > kMaxLine) return fail(Code::kInvalid, "a line of stdin exceeds 16 MB");
  }
  if (buffer_.empty()) return std::nullopt;
  std::string line = buffer_.substr(0, end);
  buffer_.erase(0, end == std::string::npos ? end : end + 1);
  if (line.ends_with('\r')) line.pop_back();
  if (!is_utf8(line))
    return fail(Code::kInvalid, "a line of stdin is not UTF-8",
                "convert the text, e.g. with iconv -t UTF-8");
  return line;
}

Result<char> Terminal::choose(std::string_view question, std::string_view letters) {
  for (;;) {
    const auto line = TRY(read_line(fmt::format("{} ", question)));
    if (!line) {
      fmt::print(stderr, "\n");
      return fail(Code::kCancelled, "cancelled");
    }
    const size_t at = line->find_first_not_of(" \t");
    const char c = at == line->npos ? '\0' : static_cast<char>(std::tolower((*line)[at]));
    if (c == '\0' || letters.find(c) != letters.npos) return c;
  }
}

Result<bool> Terminal::confirm(std::string_view question) {
  return TRY(choose(fmt::format("{} [y/N]", question), "yn")) == 'y';
}

base::Status Terminal::finish() {
  clear_progress();
  if (std::fflush(stdout) != 0 && !write_error_) write_error_ = errno;
  if (write_error_ == EPIPE) return fail(Code::kCancelled, "");
  if (write_error_)
    return fail(Code::kIo, fmt::format("cannot write the answer: {}", std::strerror(write_error_)),
                "is the disk full?");
  return {};
}

std::string duration(double seconds) {
  if (seconds < 0.0095) return fmt::format("{:.1f} ms", seconds * 1000);
  if (seconds < 0.9995) return fmt::format("{:.0f} ms", seconds * 1000);
  if (seconds < 59.95) return fmt::format("{:.1f} s", seconds);
  const auto whole = static_cast<int64_t>(seconds + 0.5);
  return fmt::format("{} min {} s", whole / 60, whole % 60);
}

}  // namespace expunge::cli
