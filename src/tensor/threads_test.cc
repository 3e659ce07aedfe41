#include "tensor/threads.h"

#include <gtest/gtest.h>

#include <thread>

#include "tensor/tensor.h"

namespace expunge::tensor {
namespace {

int in_other_thread() {
  int n = 0;
  std::thread([&] { n = at::get_num_threads(); }).join();
  return n;
}

TEST(SerialLibtorch, LimitsThisThreadAloneAndEnds) {
  const int before = at::get_num_threads(), elsewhere = in_other_thread();
  {
    const SerialLibtorch serial;
    EXPECT_EQ(at::get_num_threads(), 1);
    EXPECT_EQ(in_other_thread(), elsewhere);
    {
      const SerialLibtorch again;
      EXPECT_EQ(at::get_num_threads(), 1);
    }
    EXPECT_EQ(at::get_num_threads(), 1);
  }
  EXPECT_EQ(at::get_num_threads(), before);
  EXPECT_EQ(in_other_thread(), elsewhere);
}

}  // namespace
}  // namespace expunge::tensor
