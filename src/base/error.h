// How a function reports failure: Result<T>, Error, TRY; and CHECK for our own bugs.
//
// Result<T> is tl::expected<T, Error>. A function that can fail because of a file, a flag, JSON, a
// shape or memory returns Result; a broken contract inside the program throws through CHECK and is
// caught once, in main.
#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <stdexcept>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

namespace expunge::base {

// One row per code: its name, its exit status and its HTTP status (see code_info).
enum class Code {
  kUsage,        // a flag or argument is wrong
  kInvalid,      // data from outside is malformed (JSON, plan, UTF-8, shape)
  kCorrupt,      // a file contradicts itself or its checksum
  kNotFound,     // no such file, entry, tensor, model
  kUnsupported,  // understood, but this build or model cannot do it
  kConflict,     // another model's journal, another process's lock
  kRefused,      // the validator or a gate said no
  kNumeric,      // singular system, NaN, divergence
  kNoMemory,
  kIo,           // read, write, disk full, permission
  kUnavailable,  // an endpoint or device does not answer
  kCancelled,
  kInternal,  // a bug, translated from CHECK
};

struct CodeInfo {
  std::string_view name;  // stable word in JSON
  int exit_status;
  int http_status;
};
const CodeInfo& code_info(Code code);

struct Error {
  Code code = Code::kInternal;
  std::string message;             // what happened, with got and expected
  std::string hint;                // what the user can do about it; may be empty
  std::vector<std::string> trail;  // callers' context, innermost first

  Error&& at(std::string where) && {
    trail.push_back(std::move(where));
    return std::move(*this);
  }
};

template <class T>
using Result = tl::expected<T, Error>;
using Status = Result<void>;

// return fail(Code::kIo, "cannot read weights", "is the disk full?");
inline tl::unexpected<Error> fail(Code code, std::string message, std::string hint = {}) {
  return tl::unexpected<Error>(Error{code, std::move(message), std::move(hint), {}});
}

class Bug : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};
[[noreturn]] void check_failed(const char* file, int line, const char* expression,
                               const std::string& message);

}  // namespace expunge::base

// Value of a Result, or return its Error from the enclosing function.
// Never inside a braced list with other temporaries: when the statement expression returns, g++ 12
// does not destroy those that are already built.
#define TRY(...)                                                                       \
  ({                                                                                   \
    auto&& try_result_ = (__VA_ARGS__);                                                \
    if (!try_result_) [[unlikely]]                                                     \
      return ::tl::unexpected<::expunge::base::Error>(std::move(try_result_.error())); \
    ::expunge::base::take_value(std::move(try_result_));                               \
  })
// The same, adding a line of context to the error's trail.
#define TRY_AT(where, ...)                                                                       \
  ({                                                                                             \
    auto&& try_result_ = (__VA_ARGS__);                                                          \
    if (!try_result_) [[unlikely]]                                                               \
      return ::tl::unexpected<::expunge::base::Error>(std::move(try_result_.error()).at(where)); \
    ::expunge::base::take_value(std::move(try_result_));                                         \
  })
#define CHECK(condition, ...)                                                                     \
  do {                                                                                            \
    if (!(condition)) [[unlikely]]                                                                \
      ::expunge::base::check_failed(__FILE__, __LINE__, #condition, fmt::format("" __VA_ARGS__)); \
  } while (false)

namespace expunge::base {
template <class T>
T take_value(Result<T>&& r) {
  if constexpr (!std::is_void_v<T>) return std::move(*r);
}
}  // namespace expunge::base
