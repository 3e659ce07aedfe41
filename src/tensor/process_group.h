// The processes that work on one thing together, through c10d with Gloo; CPU only.
//
// A launcher (torchrun --no-python, Slurm's srun with these set by hand) starts the same command
// WORLD_SIZE times and tells each its RANK, and where rank 0 listens: MASTER_ADDR, MASTER_PORT.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "tensor/tensor.h"

namespace expunge::tensor {

class ProcessGroup {
 public:
  // The group that the environment speaks of, joined; nullptr if it speaks of none or of a single
  // process. Errors: kUsage names the variable that is wrong; kIo if the others do not come.
  static base::Result<std::unique_ptr<ProcessGroup>> join();
  ~ProcessGroup();
  ProcessGroup(const ProcessGroup&) = delete;
  ProcessGroup& operator=(const ProcessGroup&) = delete;

  int rank() const { return rank_; }
  int size() const { return size_; }
  bool leads() const { return rank_ == 0; }

  // Every process calls these in the same order, with tensors of the same shapes. Errors: kIo if
  // another one has ended or does not answer for half an hour.
  // Each tensor becomes the sum of all processes' (the same bits everywhere).
  base::Status sum(std::span<const Tensor> tensors);
  // Each tensor becomes rank 0's.
  base::Status broadcast(std::span<const Tensor> tensors);
  // Whether any process says so.
  base::Result<bool> any(bool own);
  // Every process's text, by rank.
  base::Result<std::vector<std::string>> gather(const std::string& own);

 private:
  struct Parts;
  ProcessGroup(int rank, int size, std::unique_ptr<Parts> parts);
  int rank_, size_;
  std::unique_ptr<Parts> parts_;
};

// Whether this process speaks for its group: alone, or rank 0.
inline bool leads(const ProcessGroup* group) { return !group || group->leads(); }

}  // namespace expunge::tensor
