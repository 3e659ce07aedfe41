// The two languages in which a model file describes its architecture, as the files of families/
// read them: config.json and the keys of a GGUF. Both remember what was read: a key that changes
// the computation and that nobody read refuses the model by name.
#pragma once

#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/arch.h"

namespace expunge::model {

// A key that changes the computation, and as JSON the value that says what holds without it, or a
// list of such values.
struct ComputingKey {
  std::string_view name, neutral;
};
std::span<const ComputingKey> json_computing_keys();
std::span<const ComputingKey> gguf_computing_keys();

// A JSON object of config.json. Absent and null keys take the fallback; without one they are an
// error. Errors: kCorrupt, naming the key.
class JsonConfig {
 public:
  explicit JsonConfig(const base::Json& json) : json_(json) {}
  bool has(const char* key) const;
  base::Result<double> number(const char* key, std::optional<double> fallback = {}) const;
  // A whole number within ±2^53, which a double holds exactly.
  base::Result<int64_t> integer(const char* key, std::optional<int64_t> fallback = {}) const;
  base::Result<std::string> text(const char* key, std::string fallback) const;
  base::Result<bool> flag(const char* key, bool fallback) const;
  base::Result<base::Json> object(const char* key) const;               // {} if absent
  base::Result<std::vector<std::string>> texts(const char* key) const;  // {} if absent
  const base::Json& json() const { return json_; }

  // kUnsupported if a key of the table of those that change the computation was not read and is
  // neither null, empty nor neutral.
  base::Status refuse_unread() const;

 private:
  const base::Json& json_;
  mutable std::set<std::string, std::less<>> read_;
};

// The keys "<architecture>.…" of a GGUF.
class GgufConfig {
 public:
  GgufConfig(const tensor::GgufMeta& meta, std::string architecture)
      : meta_(meta), prefix_(std::move(architecture) + ".") {}
  bool has(std::string_view key) const;
  base::Result<int64_t> integer(std::string_view key, std::optional<int64_t> fallback = {}) const;
  base::Result<double> number(std::string_view key, std::optional<double> fallback = {}) const;
  base::Result<std::string> text(std::string_view key, std::string fallback) const;
  const tensor::GgufMeta& meta() const { return meta_; }

  base::Status refuse_unread() const;  // as of JsonConfig

 private:
  std::string name(std::string_view key) const;
  const tensor::GgufMeta& meta_;
  std::string prefix_;
  mutable std::set<std::string, std::less<>> read_;
};

}  // namespace expunge::model
