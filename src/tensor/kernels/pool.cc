#include "tensor/kernels/pool.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace expunge::tensor::kernels {
namespace {

void pause() {
#if defined(__x86_64__)
  _mm_pause();
#endif
}

// How long a thread watches for work before it sleeps: longer than the gaps inside a pass (some
// microseconds), shorter than a scheduler's slice.
constexpr int kSpins = 4000;

thread_local bool inside = false;
std::atomic<int> pinned = 0;

class Pool {
 public:
  static Pool& get() {
    static Pool& pool = *new Pool;  // never destroyed: its threads sleep until the process ends
    return pool;
  }

  bool try_run(int64_t begin, int64_t end, int64_t grain, int threads, void* context,
               void (*task)(void*, int64_t, int64_t)) {
    const std::unique_lock lock(owner_, std::try_to_lock);
    if (!lock) return false;
    while (static_cast<int>(workers_.size()) < threads - 1)
      workers_.emplace_back([this, rank = static_cast<int>(workers_.size())] { serve(rank); })
          .detach();
    task_ = task, context_ = context;
    end_ = end, helpers_ = threads - 1;
    constexpr int64_t kPartsAThread = 4;
    part_ =
        std::max(grain, (end - begin + threads * kPartsAThread - 1) / (threads * kPartsAThread));
    error_ = nullptr;
    next_ = begin;
    open_ = true;
    ++epoch_;
    if (sleepers_ > 0) epoch_.notify_all();
    take_parts();
    open_ = false;
    for (int spins = 0; active_ > 0; ++spins) {
      pause();
      if (spins > kSpins) std::this_thread::yield();
    }
    if (error_) std::rethrow_exception(error_);
    return true;
  }

 private:
  void take_parts() {
    inside = true;
    for (int64_t first; (first = next_.fetch_add(part_)) < end_;) {
      try {
        task_(context_, first, std::min(first + part_, end_));
      } catch (...) {
        const std::lock_guard lock(error_mutex_);
        if (!error_) error_ = std::current_exception();
      }
    }
    inside = false;
  }

  void serve(int rank) {
    uint32_t seen = 0;
    for (;;) {
      for (int spins = 0; epoch_ == seen && spins < kSpins; ++spins) pause();
      if (epoch_ == seen) {
        ++sleepers_;
        epoch_.wait(seen);
        --sleepers_;
      }
      seen = epoch_;
      // The caller closes the work first and then waits for active_ to be 0, so a thread that comes
      // late either sees it closed or is waited for. All of it is sequentially consistent.
      ++active_;
      if (open_ && rank < helpers_) take_parts();
      --active_;
    }
  }

  std::mutex owner_, error_mutex_;
  std::vector<std::thread> workers_;
  void (*task_)(void*, int64_t, int64_t) = nullptr;
  void* context_ = nullptr;
  int64_t end_ = 0, part_ = 1;
  int helpers_ = 0;
  std::exception_ptr error_;
  alignas(64) std::atomic<uint32_t> epoch_ = 0;
  std::atomic<bool> open_ = false;
  std::atomic<int> sleepers_ = 0;
  alignas(64) std::atomic<int64_t> next_ = 0;
  alignas(64) std::atomic<int> active_ = 0;
};

}  // namespace

int n_threads() { return pinned > 0 ? pinned.load() : at::get_num_threads(); }

KernelThreads::KernelThreads() : outermost_(pinned == 0) {
  if (!outermost_) return;
  pinned = at::get_num_threads();
  at::set_num_threads(1);
}
KernelThreads::~KernelThreads() {
  if (!outermost_) return;
  at::set_num_threads(pinned);
  pinned = 0;
}

void parallel_parts(int64_t begin, int64_t end, int64_t grain, void* context,
                    void (*task)(void*, int64_t, int64_t)) {
  if (begin >= end) return;
  const int64_t parts = (end - begin + grain - 1) / grain;
  const int threads = static_cast<int>(std::min<int64_t>(n_threads(), parts));
  const bool alone = threads <= 1 || inside || at::in_parallel_region();
  if (alone || !Pool::get().try_run(begin, end, grain, threads, context, task))
    task(context, begin, end);
}

}  // namespace expunge::tensor::kernels
