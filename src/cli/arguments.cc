#include "cli/arguments.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <optional>

namespace expunge::cli {

Option* Option::type_name(const std::string& name) {
  option_->type_name(name);
  return this;
}

Option* Option::required() {
  option_->required();
  return this;
}

Option* Option::expected(int words) {
  option_->expected(words);
  return this;
}

Option* Option::take_all() {
  option_->take_all();
  return this;
}

Option* Option::delimiter(char c) {
  option_->delimiter(c);
  return this;
}

Option* Option::needs(const Option* other) {
  option_->needs(other->option_);
  return this;
}

Option* Option::needs(const std::string& other) {
  option_->needs(other);
  return this;
}

Option* Option::excludes(const std::string& other) {
  option_->excludes(other);
  return this;
}

template <typename T>
Option* Option::range(T least, T most) {
  option_->check(CLI::Range(least, most));
  return this;
}
template Option* Option::range(int, int);
template Option* Option::range(double, double);

Option* Option::positive() {
  option_->check(CLI::PositiveNumber);
  return this;
}

Option* Option::existing_file() {
  option_->check(CLI::ExistingFile);
  return this;
}

Option* Option::one_of(const std::vector<std::string>& values) {
  option_->check(CLI::IsMember(values));
  return this;
}

Arguments::Arguments(CLI::App& app) : app_(&app) {}
Arguments::~Arguments() = default;

Option* Arguments::keep(CLI::Option* option) {
  options_.push_back(std::make_unique<Option>(*option));
  return options_.back().get();
}

Option* Arguments::add_flag(const std::string& name, bool& value, const std::string& help) {
  return keep(app_->add_flag(name, value, help));
}

Option* Arguments::add_flag(const std::string& name, std::function<void()> given,
                            const std::string& help) {
  return keep(
      app_->add_flag_function(name, [given = std::move(given)](int64_t) { given(); }, help));
}

Option* Arguments::add_text(const std::string& name, std::function<void(const std::string&)> take,
                            const std::string& help) {
  return keep(app_->add_option_function<std::string>(name, std::move(take), help));
}

Arguments* Arguments::add_subcommand(const std::string& name, bool& chosen,
                                     const std::string& help) {
  app_->require_subcommand(0, 1);
  CLI::App* sub = app_->add_subcommand(name, help);
  sub->callback([&chosen] { chosen = true; });
  subcommands_.push_back(std::make_unique<Arguments>(*sub));
  return subcommands_.back().get();
}

template <typename T>
Option* Arguments::add_option(const std::string& name, T& value, const std::string& help) {
  return keep(app_->add_option(name, value, help));
}
template Option* Arguments::add_option(const std::string&, std::string&, const std::string&);
template Option* Arguments::add_option(const std::string&, int&, const std::string&);
template Option* Arguments::add_option(const std::string&, int64_t&, const std::string&);
template Option* Arguments::add_option(const std::string&, uint64_t&, const std::string&);
template Option* Arguments::add_option(const std::string&, double&, const std::string&);
template Option* Arguments::add_option(const std::string&, std::optional<double>&,
                                       const std::string&);
template Option* Arguments::add_option(const std::string&, std::optional<size_t>&,
                                       const std::string&);
template Option* Arguments::add_option(const std::string&, std::vector<std::string>&,
                                       const std::string&);

}  // namespace expunge::cli
