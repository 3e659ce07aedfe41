#include "base/unique_keys.h"

#include <set>

#include "base/json.h"

namespace expunge::base {
namespace {

class Reader : public nlohmann::json_sax<Json> {
 public:
  std::string twice;

  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool start_array(std::size_t) override { return true; }
  bool end_array() override { return true; }
  bool start_object(std::size_t) override {
    objects_.emplace_back();
    return true;
  }
  bool end_object() override {
    objects_.pop_back();
    return true;
  }
  bool key(string_t& name) override {
    if (objects_.back().insert(name).second) return true;
    twice = name;
    return false;
  }
  bool parse_error(std::size_t, const std::string&, const Json::exception&) override {
    return false;
  }

 private:
  std::vector<std::set<std::string>> objects_;  // keys of the objects around the parsed place
};

}  // namespace

Status check_unique_keys(std::string_view text, std::string_view what) {
  Reader reader;
  if (Json::sax_parse(text.begin(), text.end(), &reader) || reader.twice.empty()) return {};
  return fail(Code::kInvalid, fmt::format("{}: the key '{}' is there twice", what, reader.twice),
              "keep one of them");
}

}  // namespace expunge::base
