#include "server/fields.h"

#include <cmath>

namespace expunge::server {

using base::Json;
using base::Result;

namespace {

constexpr size_t kShown = 60;  // characters of a wrong value

}  // namespace

const Json* given(const Json& object, const std::string& name) {
  if (!object.is_object()) return nullptr;
  const auto it = object.find(name);
  return it == object.end() || it->is_null() ? nullptr : &*it;
}

std::string text_of(const Json& object, const char* name) {
  const Json* field = given(object, name);
  return field && field->is_string() ? field->get<std::string>() : "";
}

tl::unexpected<base::Error> wrong(const std::string& name, const Json& got,
                                  const std::string& expected) {
  std::string value = base::dump_json(got);
  if (value.size() > kShown) value = value.substr(0, kShown) + "…";
  return base::fail(base::Code::kInvalid,
                    fmt::format("'{}' is {}, expected {}", name, value, expected));
}

Result<std::string> string_field(const Json& object, const std::string& name,
                                 const std::string& otherwise) {
  const Json* v = given(object, name);
  if (!v) return otherwise;
  if (!v->is_string()) return wrong(name, *v, "a text");
  return v->get<std::string>();
}

Result<bool> bool_field(const Json& object, const std::string& name, bool otherwise) {
  const Json* v = given(object, name);
  if (!v) return otherwise;
  if (!v->is_boolean()) return wrong(name, *v, "true or false");
  return v->get<bool>();
}

Result<int64_t> integer_field(const Json& object, const std::string& name, int64_t otherwise,
                              int64_t least, int64_t most) {
  const Json* v = given(object, name);
  if (!v) return otherwise;
  const bool fits =
      v->is_number_integer() &&
      (!v->is_number_unsigned() || v->get<uint64_t>() <= static_cast<uint64_t>(INT64_MAX)) &&
      v->get<int64_t>() >= least && v->get<int64_t>() <= most;
  if (!fits) return wrong(name, *v, fmt::format("a whole number from {} to {}", least, most));
  return v->get<int64_t>();
}

Result<double> number_field(const Json& object, const std::string& name, double otherwise,
                            double least, double most) {
  const Json* v = given(object, name);
  if (!v) return otherwise;
  if (!v->is_number() || !(v->get<double>() >= least && v->get<double>() <= most))
    return wrong(name, *v, fmt::format("a number from {} to {}", least, most));
  return v->get<double>();
}

}  // namespace expunge::server
