// Typed access to a GGUF's key-value table.
#include "tensor/tensor_file.h"

namespace expunge::tensor {
namespace {

using base::Code;
using base::fail;
using base::Result;

tl::unexpected<base::Error> missing(std::string_view key) {
  return fail(Code::kCorrupt, fmt::format("GGUF: key {} is missing", key),
              "the file lacks what a language model needs");
}
tl::unexpected<base::Error> wrong_type(std::string_view key, std::string_view wanted) {
  return fail(Code::kCorrupt, fmt::format("GGUF: key {} is not {}", key, wanted));
}

}  // namespace

const GgufMeta::Value* GgufMeta::find(std::string_view key) const {
  const auto found = values.find(key);
  return found == values.end() ? nullptr : &found->second;
}

Result<int64_t> GgufMeta::integer(std::string_view key) const {
  const Value* v = find(key);
  if (!v) return missing(key);
  if (const auto* i = std::get_if<int64_t>(v)) return *i;
  if (const auto* u = std::get_if<uint64_t>(v); u && *u <= INT64_MAX)
    return static_cast<int64_t>(*u);
  return wrong_type(key, "an integer");
}
Result<double> GgufMeta::real(std::string_view key) const {
  const Value* v = find(key);
  if (!v) return missing(key);
  if (const auto* r = std::get_if<double>(v)) return *r;
  if (const auto* i = std::get_if<int64_t>(v)) return static_cast<double>(*i);
  if (const auto* u = std::get_if<uint64_t>(v)) return static_cast<double>(*u);
  return wrong_type(key, "a number");
}
Result<std::string> GgufMeta::text(std::string_view key) const {
  const Value* v = find(key);
  if (!v) return missing(key);
  if (const auto* s = std::get_if<std::string_view>(v)) return std::string(*s);
  return wrong_type(key, "a string");
}
Result<GgufMeta::Strings> GgufMeta::texts(std::string_view key) const {
  const Value* v = find(key);
  if (!v) return missing(key);
  if (const auto* s = std::get_if<Strings>(v)) return *s;
  return wrong_type(key, "a list of strings");
}
Result<std::vector<int64_t>> GgufMeta::integers(std::string_view key) const {
  const Value* v = find(key);
  if (!v) return missing(key);
  if (const auto* s = std::get_if<std::vector<int64_t>>(v)) return *s;
  return wrong_type(key, "a list of integers");
}
Result<std::vector<double>> GgufMeta::reals(std::string_view key) const {
  const Value* v = find(key);
  if (!v) return missing(key);
  if (const auto* s = std::get_if<std::vector<double>>(v)) return *s;
  return wrong_type(key, "a list of numbers");
}

int64_t GgufMeta::integer_or(std::string_view key, int64_t fallback) const {
  return integer(key).value_or(fallback);
}
double GgufMeta::real_or(std::string_view key, double fallback) const {
  return real(key).value_or(fallback);
}
bool GgufMeta::flag_or(std::string_view key, bool fallback) const {
  const Value* v = find(key);
  const auto* flag = v ? std::get_if<bool>(v) : nullptr;
  return flag ? *flag : fallback;
}
std::string GgufMeta::text_or(std::string_view key, std::string fallback) const {
  auto value = text(key);
  return value ? *value : fallback;
}

}  // namespace expunge::tensor
