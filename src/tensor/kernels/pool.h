// Threads of the inference kernels. LibTorch's (OpenMP) cut a range into one part a thread and wait
// for the slowest: where another program holds a core, every product of a pass waits a scheduler's
// slice for it (measured: 16 ms instead of 0.3). Here threads take small parts as they come, and
// the caller goes on alone when no other thread is awake.
#pragma once

#include <cstdint>
#include <type_traits>

namespace expunge::tensor::kernels {

// LibTorch's, unless a KernelThreads lives.
int n_threads();

// While it lives LibTorch's operations run in the calling thread, and n_threads() stays as it was:
// its threads watch for work between operations and take the cores from these (a training step on
// two cores: 1.3 s with them, 1.0 s without).
class KernelThreads {
 public:
  KernelThreads();
  ~KernelThreads();
  KernelThreads(const KernelThreads&) = delete;
  KernelThreads& operator=(const KernelThreads&) = delete;

 private:
  bool outermost_;
};

// Runs task(context, begin, end) over parts of [begin, end), each `grain` or longer, on up to
// n_threads() threads. The order is free, so a part's result must not depend on others.
// Inside a part, or while another thread uses the pool, it runs in the calling thread. An exception
// of a part reaches the caller after all parts have ended.
void parallel_parts(int64_t begin, int64_t end, int64_t grain, void* context,
                    void (*task)(void* context, int64_t begin, int64_t end));

template <class F>
void parallel_for(int64_t begin, int64_t end, int64_t grain, const F& f) {
  parallel_parts(begin, end, grain, const_cast<F*>(&f),
                 [](void* context, int64_t first, int64_t last) {
                   (*static_cast<const F*>(context))(first, last);
                 });
}

}  // namespace expunge::tensor::kernels
