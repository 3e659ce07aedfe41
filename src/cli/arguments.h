// The arguments of a command: a thin layer over CLI11. Every unit that includes CLI11's headers
// compiles the whole parser again, so only arguments.cc and parse.cc do.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace expunge::cli {

// The group of the options that commands share.
inline constexpr const char* kCommonOptions = "Common options";

// An option, a flag or a positional argument. Every call returns it again.
class Option {
 public:
  explicit Option(CLI::Option& option) : option_(&option) {}

  Option* type_name(const std::string& name);  // stands after its own in the help
  Option* required();
  Option* expected(int words);  // that follow it
  Option* take_all();           // of what is given each time that it is repeated
  Option* delimiter(char c);    // between the values in one word
  Option* needs(const Option* other);
  Option* needs(const std::string& other);
  Option* excludes(const std::string& other);

  template <typename T>  // int or double
  Option* range(T least, T most);
  Option* positive();
  Option* existing_file();
  Option* one_of(const std::vector<std::string>& values);

 private:
  CLI::Option* option_;
};

// What a command takes. A name without a leading dash is a positional argument. The variables
// are written when the words are parsed, and must live until then.
class Arguments {
 public:
  explicit Arguments(CLI::App& app);
  ~Arguments();

  // T: std::string, int, int64_t, uint64_t, double, an optional number or a list of strings; others
  // fail at link (see the end of arguments.cc).
  template <typename T>
  Option* add_option(const std::string& name, T& value, const std::string& help);
  Option* add_flag(const std::string& name, bool& value, const std::string& help);
  Option* add_flag(const std::string& name, std::function<void()> given, const std::string& help);

  // Called with the value as it was given when the words are parsed; not called if it is not
  // given.
  Option* add_text(const std::string& name, std::function<void(const std::string&)> take,
                   const std::string& help);

  // `chosen` becomes true when the words name it.
  Arguments* add_subcommand(const std::string& name, bool& chosen, const std::string& help);

 private:
  Option* keep(CLI::Option* option);

  CLI::App* app_;
  std::vector<std::unique_ptr<Option>> options_;
  std::vector<std::unique_ptr<Arguments>> subcommands_;
};

}  // namespace expunge::cli
