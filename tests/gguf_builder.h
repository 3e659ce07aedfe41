// Writes GGUF files for tests, sound ones and, by `raw` pieces, broken ones.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tensor/quant.h"

namespace expunge::tests {

template <class T>
std::string raw(T value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}
inline std::string gguf_string(std::string_view text) {
  return raw<uint64_t>(text.size()) + std::string(text);
}

class GgufBuilder {
 public:
  uint32_t magic = 0x46554747, version = 3;
  size_t alignment = 32;

  void key(std::string_view name, uint32_t type, std::string_view value) {
    keys_ += gguf_string(name) + raw(type) + std::string(value);
    ++n_keys_;
  }
  void u32(std::string_view name, uint32_t value) { key(name, 4, raw(value)); }
  void f32(std::string_view name, float value) { key(name, 6, raw(value)); }
  void boolean(std::string_view name, bool value) { key(name, 7, raw<uint8_t>(value)); }
  void text(std::string_view name, std::string_view value) { key(name, 8, gguf_string(value)); }
  void texts(std::string_view name, const std::vector<std::string>& values) {
    std::string body = raw<uint32_t>(8) + raw<uint64_t>(values.size());
    for (const std::string& v : values) body += gguf_string(v);
    key(name, 9, body);
  }
  void f32s(std::string_view name, const std::vector<float>& values) {
    std::string body = raw<uint32_t>(6) + raw<uint64_t>(values.size());
    for (const float v : values) body += raw(v);
    key(name, 9, body);
  }
  void i32s(std::string_view name, const std::vector<int32_t>& values) {
    std::string body = raw<uint32_t>(5) + raw<uint64_t>(values.size());
    for (const int32_t v : values) body += raw(v);
    key(name, 9, body);
  }

  // `shape` as PyTorch writes it; data is laid out in this order.
  void tensor(std::string_view name, std::vector<int64_t> shape, tensor::DType dtype,
              std::string_view bytes) {
    raw_tensor(name, std::move(shape), tensor::info(dtype).ggml_id, data_.size());
    data_ += bytes;
    data_.resize((data_.size() + alignment - 1) / alignment * alignment);
  }
  void tensor(std::string_view name, std::vector<int64_t> shape, const std::vector<float>& values,
              tensor::DType dtype = tensor::DType::kF32) {
    const auto& type = tensor::info(dtype);
    std::string bytes(values.size() / type.block * type.bytes, 0);
    const auto status = tensor::quantise(dtype, values, std::as_writable_bytes(std::span(bytes)));
    if (!status) throw std::invalid_argument(status.error().message);
    tensor(name, std::move(shape), dtype, bytes);
  }
  // A row of the tensor table alone.
  void raw_tensor(std::string_view name, std::vector<int64_t> shape, uint32_t type,
                  uint64_t offset) {
    table_ += gguf_string(name) + raw(static_cast<uint32_t>(shape.size()));
    for (auto dim = shape.rbegin(); dim != shape.rend(); ++dim)
      table_ += raw(static_cast<uint64_t>(*dim));
    table_ += raw(type) + raw(offset);
    ++n_tensors_;
  }
  void append_data(std::string_view bytes) { data_ += bytes; }

  std::string image() const {
    std::string out = raw(magic) + raw(version) + raw(n_tensors_) + raw(n_keys_) + keys_ + table_;
    out.resize((out.size() + alignment - 1) / alignment * alignment);
    return out + data_;
  }

 private:
  std::string keys_, table_, data_;
  uint64_t n_keys_ = 0, n_tensors_ = 0;
};

}  // namespace expunge::tests
