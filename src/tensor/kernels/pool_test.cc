#include "tensor/kernels/pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <thread>
#include <vector>

#include "tensor/tensor.h"

namespace expunge::tensor::kernels {
namespace {

// Each index once, whatever the range, the grain and the number of threads.
TEST(Pool, CoversTheRangeOnce) {
  for (const int threads : {1, 2, 5}) {
    at::set_num_threads(threads);
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
  at::set_num_threads(3);
  int64_t total = 0;
  for (int64_t round = 0; round < 20000; ++round) {
    std::atomic<int64_t> sum = 0;
    parallel_for(0, 6, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) sum += i + round;
    });
    ASSERT_EQ(sum, 15 + 6 * round);
    total += sum;
  }
  EXPECT_GT(total, 0);
}

TEST(Pool, InsideAPartItRunsInPlace) {
  at::set_num_threads(3);
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

TEST(Pool, ServesSeveralCallersAtOnce) {
  at::set_num_threads(2);
  std::atomic<int64_t> sum = 0;
  std::vector<std::thread> callers;
  for (int c = 0; c < 4; ++c)
    callers.emplace_back([&] {
      for (int round = 0; round < 500; ++round)
        parallel_for(0, 10, 1, [&](int64_t begin, int64_t end) { sum += end - begin; });
    });
  for (std::thread& t : callers) t.join();
  EXPECT_EQ(sum, 4 * 500 * 10);
}

TEST(Pool, AnExceptionReachesTheCallerAndThePoolGoesOn) {
  at::set_num_threads(2);
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
