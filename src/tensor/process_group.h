// The processes that share one computation, through c10d with Gloo; CPU only.
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
  // Joins the group that the environment describes; nullptr if it describes none or a single
  // process. Errors: kUsage names the wrong variable; kIo if the other processes do not join.
  static base::Result<std::unique_ptr<ProcessGroup>> join();
  ~ProcessGroup();
  ProcessGroup(const ProcessGroup&) = delete;
  ProcessGroup& operator=(const ProcessGroup&) = delete;

  int rank() const { return rank_; }
  int size() const { return size_; }
  bool leads() const { return rank_ == 0; }

  // Every process calls these in the same order, with tensors of the same shapes. Errors: kIo if
  // another process has ended or does not answer for half an hour.
  // Each tensor becomes the sum over all processes (the same bits everywhere).
  base::Status sum(std::span<const Tensor> tensors);
  // Each tensor becomes rank 0's.
  base::Status broadcast(std::span<const Tensor> tensors);
  // Whether it is true in any process.
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
