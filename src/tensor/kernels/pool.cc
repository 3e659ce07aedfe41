#include "tensor/kernels/pool.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>

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
// Ranges that have workers at once; callers beyond run alone in their threads.
constexpr size_t kRanges = 16;
// A range published this often without another open one: its caller has the pool alone.
constexpr int kCalm = 16;

std::atomic<int> pool_threads = 1;
thread_local int own_threads = 0;  // 0: the pool's
thread_local bool inside = false;

// The work of one caller. Its fields are written while it is closed and no worker is in it.
struct alignas(64) Range {
  std::atomic<bool> taken = false;  // by a caller
  int64_t end = 0, part = 1;
  int threads = 1;  // its caller's and its workers
  int most = 1;     // callers and workers of all ranges
  void* context = nullptr;
  void (*task)(void*, int64_t, int64_t) = nullptr;
  std::mutex error_mutex;
  std::exception_ptr error;
  alignas(64) std::atomic<bool> open = false;
  alignas(64) std::atomic<int64_t> next = 0;
  alignas(64) std::atomic<int> n_workers = 0;  // that are in it, or check whether it is open

  bool take_part() {
    const int64_t first = next.fetch_add(part);
    if (first >= end) return false;
    try {
      task(context, first, std::min(first + part, end));
    } catch (...) {
      const std::lock_guard lock(error_mutex);
      if (!error) error = std::current_exception();
    }
    return true;
  }
};

class Pool {
 public:
  static Pool& get() {
    static Pool& pool = *new Pool;  // never destroyed: its threads sleep until the process ends
    return pool;
  }

  void run(int64_t begin, int64_t end, int64_t grain, int threads, void* context,
           void (*task)(void*, int64_t, int64_t)) {
    Range* range = claim();
    if (!range) return task(context, begin, end);
    const int most = std::max(n_threads(), pool_threads.load(std::memory_order_relaxed));
    have_workers(most - 1);
    constexpr int64_t kPartsAThread = 4;
    range->part =
        std::max(grain, (end - begin + threads * kPartsAThread - 1) / (threads * kPartsAThread));
    range->end = end, range->threads = threads, range->most = most;
    range->context = context, range->task = task;
    range->error = nullptr;
    range->next = begin;
    const int n_open = ++n_open_;
    range->open = true;
    // Where callers come and go, a sleeping worker is not woken for the short gap between them.
    if (n_open > 1)
      calm_.store(0, std::memory_order_relaxed);
    else if (calm_.load(std::memory_order_relaxed) < kCalm)
      calm_.fetch_add(1, std::memory_order_relaxed);
    if (n_open < most) {
      ++epoch_;
      if (sleepers_ > 0 && (n_open > 1 || calm_.load(std::memory_order_relaxed) >= kCalm))
        epoch_.notify_all();
    }
    inside = true;
    while (range->take_part()) {
    }
    inside = false;
    range->open = false;
    --n_open_;
    for (int spins = 0; range->n_workers > 0; ++spins) {
      pause();
      if (spins > kSpins) std::this_thread::yield();
    }
    const std::exception_ptr error = range->error;
    range->taken = false;
    if (error) std::rethrow_exception(error);
  }

 private:
  Range* claim() {
    thread_local size_t first = n_callers_++ % kRanges;  // a caller keeps its range while it can
    for (size_t i = 0; i < kRanges; ++i) {
      Range& range = ranges_[(first + i) % kRanges];
      if (!range.taken.load(std::memory_order_relaxed) && !range.taken.exchange(true))
        return &range;
    }
    return nullptr;
  }

  void have_workers(int n) {
    if (n_workers_ >= n) return;
    const std::lock_guard lock(start_mutex_);
    for (; n_workers_ < n; ++n_workers_)
      std::thread([this, first = static_cast<size_t>(n_workers_)] { serve(first); }).detach();
  }

  // Takes parts of a range, one at a time where other ranges are open. False if it had none for
  // this worker: it is closed, done, or as many threads are at work as may be.
  bool help(Range& range) {
    if (!range.open) return false;
    bool helped = false;
    // The caller closes the range first and then waits for n_workers to be 0, so a worker that
    // comes late either sees it closed or is waited for. All of it is sequentially consistent.
    const int before = range.n_workers++;
    if (range.open && before < range.threads - 1) {
      if (n_helping_++ + n_open_ < range.most) {
        inside = true;
        while (range.take_part()) {
          helped = true;
          if (n_open_ > 1) break;
        }
        inside = false;
      }
      --n_helping_;
    }
    --range.n_workers;
    return helped;
  }

  void serve(size_t turn) {
    for (;;) {
      const uint32_t seen = epoch_;
      bool helped = false;
      for (size_t i = 0; i < kRanges; ++i) helped |= help(ranges_[++turn % kRanges]);
      if (helped) continue;
      // It watches only if a core is left for it; else it would slow the callers down.
      const int most = std::max(2, pool_threads.load(std::memory_order_relaxed));
      for (int spins = 0; epoch_ == seen && n_open_ < most && spins < kSpins; ++spins) pause();
      if (epoch_ != seen) continue;
      ++sleepers_;
      epoch_.wait(seen);
      --sleepers_;
    }
  }

  std::array<Range, kRanges> ranges_;
  std::mutex start_mutex_;
  std::atomic<int> n_workers_ = 0;
  std::atomic<size_t> n_callers_ = 0;
  alignas(64) std::atomic<uint32_t> epoch_ = 0;  // counts the ranges that workers may take from
  std::atomic<int> sleepers_ = 0;
  std::atomic<int> calm_ = kCalm;
  alignas(64) std::atomic<int> n_open_ = 0;
  alignas(64) std::atomic<int> n_helping_ = 0;
};

}  // namespace

void set_pool_threads(int n) { pool_threads = std::max(n, 1); }

int n_threads() { return own_threads > 0 ? own_threads : pool_threads.load(); }

CallerThreads::CallerThreads(int n) : before_(own_threads) { own_threads = n; }
CallerThreads::~CallerThreads() { own_threads = before_; }

void parallel_parts(int64_t begin, int64_t end, int64_t grain, void* context,
                    void (*task)(void*, int64_t, int64_t)) {
  if (begin >= end) return;
  const int64_t parts = (end - begin + grain - 1) / grain;
  const int threads = static_cast<int>(std::min<int64_t>(n_threads(), parts));
  if (threads <= 1 || inside) return task(context, begin, end);
  Pool::get().run(begin, end, grain, threads, context, task);
}

}  // namespace expunge::tensor::kernels
