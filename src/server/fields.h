// Fields of a JSON object from outside, each with its type and range.
#pragma once

#include <string>

#include "base/json.h"

namespace expunge::server {

// The field, or null if it is absent or null.
const base::Json* given(const base::Json& object, const std::string& name);
// The field's text; "" if it has none: of what another server sends.
std::string text_of(const base::Json& object, const char* name);
// kInvalid: the field's name, what was got and what is expected.
tl::unexpected<base::Error> wrong(const std::string& name, const base::Json& got,
                                  const std::string& expected);
base::Result<std::string> string_field(const base::Json& object, const std::string& name,
                                       const std::string& otherwise);
base::Result<bool> bool_field(const base::Json& object, const std::string& name, bool otherwise);
base::Result<int64_t> integer_field(const base::Json& object, const std::string& name,
                                    int64_t otherwise, int64_t least, int64_t most);
base::Result<double> number_field(const base::Json& object, const std::string& name,
                                  double otherwise, double least, double most);

}  // namespace expunge::server
