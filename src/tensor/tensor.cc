#include "tensor/tensor.h"

#include <malloc.h>
#include <sched.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

#include "tensor/kernels/pool.h"
#include "tensor/kernels/probe.h"

namespace expunge::tensor {

using base::Code;
using base::Error;

Error translate_current_exception() {
  try {
    throw;
  } catch (const std::bad_alloc&) {
    return Error{
        Code::kNoMemory, "out of memory", "close other programs or use a smaller model", {}};
  } catch (const c10::Error& e) {
    const std::string what = e.what_without_backtrace();
    if (what.find("alloc") != std::string::npos || what.find("out of memory") != std::string::npos)
      return Error{Code::kNoMemory, what, "close other programs or use a smaller model", {}};
    return Error{Code::kNumeric, what, "", {}};
  } catch (const std::exception& e) {
    return Error{Code::kInternal, e.what(), "", {}};
  }
}

Tensor from_floats(const std::vector<float>& values, at::IntArrayRef shape) {
  Tensor t = at::empty(shape, f32());
  CHECK(static_cast<size_t>(t.numel()) == values.size(), "{} values for {} cells", values.size(),
        t.numel());
  std::memcpy(t.data_ptr<float>(), values.data(), values.size() * sizeof(float));
  return t;
}

Tensor from_ids(const std::vector<int32_t>& ids) {
  Tensor t = at::empty({static_cast<int64_t>(ids.size())}, i64());
  std::copy(ids.begin(), ids.end(), t.data_ptr<int64_t>());
  return t;
}

void start(int n_threads) {
  static bool started = false;
  if (std::exchange(started, true)) return;
  // LibTorch allocates and frees large buffers every step; without this each one is mapped,
  // zeroed and unmapped by the kernel. 32 MiB is the most that glibc takes.
  CHECK(mallopt(M_MMAP_THRESHOLD, 32 << 20) == 1);
  mallopt(M_TRIM_THRESHOLD, 2047 << 20);
  if (n_threads == 0) {
    cpu_set_t set;
    n_threads = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    // torchrun tells how many processes share the machine.
    const char* shared = std::getenv("LOCAL_WORLD_SIZE");
    if (const int n = shared ? std::atoi(shared) : 1; n > 1) n_threads = std::max(1, n_threads / n);
  }
  at::set_num_threads(n_threads);
  kernels::set_pool_threads(n_threads);
  at::globalContext().setFlushDenormal(true);
}

void give_memory_back() { malloc_trim(0); }

bool all_finite(const Tensor& t) {
  // A NaN or infinity stays in a sum, so a finite sum proves finite values in one read.
  if (t.scalar_type() == at::kFloat && t.is_contiguous() && t.device().is_cpu() &&
      std::isfinite(kernels::read_all({t.data_ptr<float>(), static_cast<size_t>(t.numel())})))
    return true;
  return at::isfinite(t).all().item<bool>();
}

}  // namespace expunge::tensor
