// Sees no LibTorch, so that ThreadSanitizer can run it: ninja pool_race_test.
#include "tensor/kernels/pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>
#include <vector>

namespace expunge::tensor::kernels {
namespace {

// Each index once, whatever the range, the grain and the number of threads.
TEST(Pool, CoversTheRangeOnce) {
  for (const int n_threads : {1, 2, 5}) {
    const CallerThreads threads(n_threads);
    for (const int64_t n : {0, 1, 2, 7, 100, 1000})
      for (const int64_t grain : {1, 3, 2000}) {
        std::vector<std::atomic<int>> hits(static_cast<size_t>(n) + 10);
        parallel_for(10, 10 + n, grain, [&](int64_t begin, int64_t end) {
          for (int64_t i = begin; i < end; ++i) ++hits[static_cast<size_t>(i)];
        });
        for (int64_t i = 0; i < n + 10; ++i) ASSERT_EQ(hits[static_cast<size_t>(i)], i >= 10);
      }
  }
}

TEST(Pool, ManyShortRangesOneAfterAnother) {
  const CallerThreads three(3);
  for (int64_t round = 0; round < 20000; ++round) {
    std::atomic<int64_t> sum = 0;
    parallel_for(0, 6, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) sum += i + round;
    });
    ASSERT_EQ(sum, 15 + 6 * round);
  }
}

TEST(Pool, InsideAPartItRunsInPlace) {
  const CallerThreads three(3);
  std::atomic<int> inner = 0;
  parallel_for(0, 8, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const auto self = std::this_thread::get_id();
      parallel_for(0, 4, 1, [&](int64_t first, int64_t last) {
        EXPECT_EQ(std::this_thread::get_id(), self);
        inner += static_cast<int>(last - first);
      });
    }
  });
  EXPECT_EQ(inner, 32);
}

TEST(Pool, ACallersNumberOfThreadsIsItsOwn) {
  const int before = n_threads();
  const CallerThreads two(2);
  {
    const CallerThreads seven(7);
    EXPECT_EQ(n_threads(), 7);
    std::thread([&] { EXPECT_EQ(n_threads(), before); }).join();
  }
  EXPECT_EQ(n_threads(), 2);
}

// More callers than ranges with workers, each with ranges of another length.
TEST(Pool, ServesSeveralCallersAtOnce) {
  std::atomic<int64_t> sum = 0;
  std::vector<std::thread> callers;
  constexpr int kCallers = 20;
  for (int c = 0; c < kCallers; ++c)
    callers.emplace_back([&, c] {
      const CallerThreads threads(2 + c % 4);
      for (int round = 0; round < 200; ++round) {
        int64_t own = 0;  // written by this thread and, through atomics alone, by workers
        std::atomic<int64_t> parts = 0;
        parallel_for(0, 10 + c, 1, [&](int64_t begin, int64_t end) { parts += end - begin; });
        own = parts;
        ASSERT_EQ(own, 10 + c);
        sum += own;
      }
    });
  for (std::thread& t : callers) t.join();
  EXPECT_EQ(sum, 200 * (10 * kCallers + kCallers * (kCallers - 1) / 2));
}

// Waits until `n` threads are in it, at most some seconds.
class Meeting {
 public:
  explicit Meeting(int n) : n_(n) {}
  bool join() {
    ++here_;
    for (int i = 0; i < 5000 && here_ < n_; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return here_ >= n_;
  }

 private:
  const int n_;
  std::atomic<int> here_ = 0;
};

// While one caller is in a long range, the range of another gets workers too: in both ranges two
// parts run at the same time. Otherwise the first one's worker would never leave its part.
TEST(Pool, CallersShareTheWorkers) {
  Meeting first(2), second(2);
  std::atomic<int> n_met = 0;
  const auto call = [&](Meeting& meeting) {
    const CallerThreads six(6);
    parallel_for(0, 2, 1, [&](int64_t, int64_t) { n_met += meeting.join(); });
  };
  std::thread other([&] { call(second); });
  call(first);
  other.join();
  EXPECT_EQ(n_met, 4);
}

// Two callers of two threads each fill two cores: while both are at work, neither is given a worker
// (except one that came before).
TEST(Pool, CallersThatFillTheCoresRunAlone) {
  Meeting both(2);
  std::atomic<int> n_elsewhere = 0;
  const auto call = [&] {
    const CallerThreads two(2);
    const auto self = std::this_thread::get_id();
    std::atomic<bool> met = false;
    parallel_for(0, 8, 1, [&](int64_t, int64_t) {
      if (std::this_thread::get_id() == self) {
        if (!met) met = both.join();
      } else if (met) {
        ++n_elsewhere;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(3));
    });
    both.join();  // no core is free before both threads are here
  };
  std::thread other(call);
  call();
  other.join();
  EXPECT_LE(n_elsewhere, 2);
}

TEST(Pool, AnExceptionReachesTheCallerAndThePoolContinues) {
  const CallerThreads two(2);
  for (int round = 0; round < 100; ++round) {
    EXPECT_THROW(parallel_for(0, 8, 1,
                              [](int64_t begin, int64_t) {
                                if (begin == 5) throw std::runtime_error("part");
                              }),
                 std::runtime_error);
    std::atomic<int64_t> n = 0;
    parallel_for(0, 8, 1, [&](int64_t begin, int64_t end) { n += end - begin; });
    ASSERT_EQ(n, 8);
  }
}

}  // namespace
}  // namespace expunge::tensor::kernels
