// Threads of the kernels. LibTorch's (OpenMP) cut a range into one part a thread and wait for the
// slowest: where another program holds a core, every product of a pass waits a scheduler's slice
// for it (measured: 16 ms instead of 0.3). Here threads take small parts as they come, and the
// caller continues alone when no other thread is awake.
//
// Callers share the workers. Each caller works on its own range, whatever the others do; a worker
// takes a part of one open range, then of the next, in turn. Callers and workers together are at
// most as many as the pool has threads: on two cores two callers run side by side, each in its own
// thread, and with one caller the second core helps it. Nothing here is a setting that one caller
// changes for others: CallerThreads is the calling thread's own.
#pragma once

#include <cstdint>
#include <type_traits>

namespace expunge::tensor::kernels {

// How many threads there are for all callers; the caller's own is one of them. tensor::start() sets
// it, once and before there are other threads; until then it is 1.
void set_pool_threads(int n);

// How many threads the calling thread's ranges may use.
int n_threads();

// While it lives the calling thread has another n_threads(), more than the pool's if need be
// (tests). Ranges of other threads are not affected.
class CallerThreads {
 public:
  explicit CallerThreads(int n);
  ~CallerThreads();
  CallerThreads(const CallerThreads&) = delete;
  CallerThreads& operator=(const CallerThreads&) = delete;

 private:
  int before_;
};

// Runs task(context, begin, end) over parts of [begin, end), each `grain` or longer, on up to
// n_threads() threads. The order is free, so a part's result must not depend on others.
// Called in a part it runs in place. An exception of a part reaches the caller after all parts have
// ended.
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
