// Reads tests/golden/*.golden, which the scripts next to them write (container.py has the layout),
// and compares tensors by relative L2.
#pragma once

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/json.h"

namespace expunge::tests {

class Golden {
 public:
  explicit Golden(const std::string& stem)
      : image_(
            base::read_file(std::string(EXPUNGE_SOURCE_DIR) + "/tests/golden/" + stem + ".golden")
                .value()) {
    uint64_t size = 0;
    std::memcpy(&size, image_.data(), sizeof size);
    header_ = base::parse_json(std::string_view(image_).substr(sizeof size, size), stem).value();
    data_ = sizeof size + size;
  }
  std::span<const std::byte> bytes(const std::string& name) const {
    const base::Json& range = header_.at("arrays").at(name);
    return std::as_bytes(std::span(image_)).subspan(data_ + range[0].get<size_t>(), range[1]);
  }
  template <class T>
  std::vector<T> array(const std::string& name) const {
    const auto raw = bytes(name);
    std::vector<T> values(raw.size() / sizeof(T));
    std::memcpy(values.data(), raw.data(), raw.size());
    return values;
  }
  std::vector<float> floats(const std::string& name) const { return array<float>(name); }
  std::vector<int32_t> ids(const std::string& name) const { return array<int32_t>(name); }
  const base::Json& value(const std::string& name) const { return header_.at("values").at(name); }

 private:
  std::string image_;
  base::Json header_;
  size_t data_ = 0;
};

// |got - want| / |want| in float64.
template <class A, class B>
double relative_l2(const A& got, const B& want) {
  if (std::size(got) != std::size(want)) throw std::length_error("relative_l2: sizes differ");
  double difference = 0, norm = 0;
  for (size_t i = 0; i < std::size(got); ++i) {
    const double g = got[i], w = want[i];
    difference += (g - w) * (g - w);
    norm += w * w;
  }
  return std::sqrt(difference / norm);
}

// A folder that is gone when the test ends.
class TempDir {
 public:
  TempDir() {
    std::string path = (std::filesystem::temp_directory_path() / "expunge-test-XXXXXX").string();
    if (!mkdtemp(path.data())) throw std::runtime_error("mkdtemp");
    path_ = path;
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  ~TempDir() {
    std::error_code ec;
    std::filesystem::remove_all(path_, ec);
  }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

inline void write_bytes(const std::string& path, std::string_view bytes) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<long>(bytes.size()));
}

}  // namespace expunge::tests
