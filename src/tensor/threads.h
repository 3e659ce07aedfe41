// LibTorch's own threads (OpenMP, MKL). Their number is set once, by tensor::start(); the kernels'
// threads are separate (tensor/kernels/pool.h).
#pragma once

namespace expunge::tensor {

// While it lives, LibTorch's operations that this thread calls run in it alone; other threads are
// not affected. For work that alternates with kernels: after an operation LibTorch's threads watch
// for the next one and take the cores from the kernels' (a training step on two cores: 1.3 s with
// them, 1.0 s without).
class SerialLibtorch {
 public:
  SerialLibtorch();
  ~SerialLibtorch();
  SerialLibtorch(const SerialLibtorch&) = delete;
  SerialLibtorch& operator=(const SerialLibtorch&) = delete;

 private:
  int openmp_, mkl_;
};

}  // namespace expunge::tensor
