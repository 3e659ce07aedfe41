#include "tensor/threads.h"

#include <dlfcn.h>

#include "tensor/tensor.h"

namespace expunge::tensor {
namespace {

// Both numbers are a thread's own. at::set_num_threads sets them too, but also the number that
// later threads begin with. LibTorch comes with the libraries, without headers;
// if one is missing there is nothing to limit.
int set_openmp(int n) {
  static const auto set =
      reinterpret_cast<void (*)(int)>(::dlsym(RTLD_DEFAULT, "omp_set_num_threads"));
  const int before = at::get_num_threads();  // the thread's number, after LibTorch has set it
  if (set) set(n);
  return before;
}
int set_mkl(int n) {  // 0: as many as the process has
  static const auto set =
      reinterpret_cast<int (*)(int)>(::dlsym(RTLD_DEFAULT, "MKL_Set_Num_Threads_Local"));
  return set ? set(n) : 0;
}

}  // namespace

SerialLibtorch::SerialLibtorch() : openmp_(set_openmp(1)), mkl_(set_mkl(1)) {}
SerialLibtorch::~SerialLibtorch() {
  set_openmp(openmp_);
  set_mkl(mkl_);
}

}  // namespace expunge::tensor
