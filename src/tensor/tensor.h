// The one door to LibTorch: Tensor, device and dtype, the operations in use, and guarded().
//
// No other room names a torch header. LibTorch throws; guarded() turns what it throws into an Error
// and is used at the public entrances of a room, not around each operation.
// <torch/torch.h> is never included: it costs 14 s and 1.3 GB a translation unit.
#pragma once

#include "base/error.h"
// c10 has a macro CHECK too; this program uses ours.
#pragma push_macro("CHECK")
#undef CHECK

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/add.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/argmax.h>
#include <ATen/ops/argsort.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/cholesky_solve.h>
#include <ATen/ops/clone.h>
#include <ATen/ops/cos.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/diag.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/full.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/linalg_cholesky_ex.h>
#include <ATen/ops/linalg_cond.h>
#include <ATen/ops/linalg_eigh.h>
#include <ATen/ops/linalg_solve.h>
#include <ATen/ops/linalg_svd.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/log_sigmoid.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/logsumexp.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/max.h>
#include <ATen/ops/mean.h>
#include <ATen/ops/min.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/multinomial.h>
#include <ATen/ops/nonzero.h>
#include <ATen/ops/norm.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/outer.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/rms_norm.h>
#include <ATen/ops/rsqrt.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/sin.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/sort.h>
#include <ATen/ops/sqrt.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/tanh.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/topk.h>
#include <ATen/ops/trace.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/GradMode.h>
#include <c10/core/InferenceMode.h>
#include <c10/util/Exception.h>
#undef CHECK
#pragma pop_macro("CHECK")

#include <string>
#include <type_traits>
#include <vector>

namespace expunge::tensor {

using at::Tensor;

// Runs f() and turns what LibTorch or the allocator throws into an Error. f may return T, Result<T>
// or nothing. CHECK failures (base::Bug) pass through.
base::Error translate_current_exception();
template <class F>
auto guarded(F&& f) {
  using R = std::invoke_result_t<F>;
  if constexpr (requires(R r) { r.error(); }) {
    try {
      return f();
    } catch (const base::Bug&) {
      throw;
    } catch (...) {
      return R(tl::unexpected(translate_current_exception()));
    }
  } else {
    try {
      if constexpr (std::is_void_v<R>) {
        f();
        return base::Status();
      } else {
        return base::Result<R>(f());
      }
    } catch (const base::Bug&) {
      throw;
    } catch (...) {
      return base::Result<R>(tl::unexpected(translate_current_exception()));
    }
  }
}

inline at::TensorOptions f32() { return at::TensorOptions(at::kFloat); }
inline at::TensorOptions f64() { return at::TensorOptions(at::kDouble); }
inline at::TensorOptions i64() { return at::TensorOptions(at::kLong); }

// A float32 [rows, cols] or int64 [n] copy of host memory.
Tensor from_floats(const std::vector<float>& values, at::IntArrayRef shape);
Tensor from_ids(const std::vector<int32_t>& ids);  // [n] int64

// Once per process, before any tensor and any other thread; later calls do nothing. Sets allocator
// thresholds (25 to 40 % of a training step), the numbers of LibTorch's and of the kernels'
// threads, which nothing changes afterwards, flush of denormals. n_threads 0 = the cores this
// process may use, its share of them where LOCAL_WORLD_SIZE processes were started together.
void start(int n_threads = 0);
void give_memory_back();  // returns freed memory to the system

// Fixed-seed generator-free uniform/normal fills go through base rng; see base/rng.h.
bool all_finite(const Tensor& t);

}  // namespace expunge::tensor
