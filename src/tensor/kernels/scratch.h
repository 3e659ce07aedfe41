// Memory for aligned floats that a thread reuses from call to call. Contents are not preserved.
#pragma once

#include <hwy/aligned_allocator.h>

#include "base/error.h"

namespace expunge::tensor::kernels {

class Scratch {
 public:
  float* floats(int64_t n) {
    if (n > size_) {
      data_.reset();
      data_ = hwy::AllocateAligned<float>(static_cast<size_t>(n));
      size_ = data_ ? n : 0;
      CHECK(data_ != nullptr, "no memory for {} floats", n);
    }
    return data_.get();
  }

 private:
  hwy::AlignedFreeUniquePtr<float[]> data_;
  int64_t size_ = 0;
};

}  // namespace expunge::tensor::kernels
