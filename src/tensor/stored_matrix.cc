#include "tensor/stored_matrix.h"

#include <algorithm>

#include "tensor/kernels/gemm.h"
#include "tensor/kernels/matvec.h"
#include "tensor/kernels/pool.h"

namespace expunge::tensor {
namespace {

// Rows first .. first+n as float32 at y.
void dequantise_rows(const StoredMatrix& m, int64_t first, int64_t n, float* y) {
  dequantise(m.dtype,
             m.bytes.subspan(static_cast<size_t>(first * m.row_bytes()),
                             static_cast<size_t>(n * m.row_bytes())),
             {y, static_cast<size_t>(n * m.columns)});
}

void parallel_rows(const StoredMatrix& m, int64_t first, int64_t n, float* y) {
  const int64_t grain = std::max<int64_t>(1, (int64_t{1} << 16) / m.columns);
  kernels::parallel_for(0, n, grain, [&](int64_t begin, int64_t end) {
    dequantise_rows(m, first + begin, end - begin, y + begin * m.columns);
  });
}

}  // namespace

StoredMatrix stored(const Tensor& t) {
  CHECK(t.dim() == 2 && t.is_contiguous() && t.scalar_type() == at::kFloat);
  return {
      DType::kF32, {static_cast<const std::byte*>(t.data_ptr()), t.nbytes()}, t.size(0), t.size(1)};
}

Tensor dequantised(const StoredMatrix& m) {
  Tensor y = at::empty({m.rows, m.columns}, f32());  // [O,I]
  parallel_rows(m, 0, m.rows, y.data_ptr<float>());
  return y;
}

Tensor dequantised_rows(const StoredMatrix& m, const Tensor& rows) {
  Tensor y = at::empty({rows.size(0), m.columns}, f32());  // [n,I]
  for (int64_t i = 0; i < rows.size(0); ++i) {
    const int64_t row = rows.data_ptr<int64_t>()[i];
    CHECK(row >= 0 && row < m.rows, "row {}", row);
    dequantise_rows(m, row, 1, y.data_ptr<float>() + i * m.columns);
  }
  return y;
}

void for_each_piece(const StoredMatrix& m,
                    const std::function<void(int64_t first, const Tensor& values)>& use) {
  const int64_t step = std::max<int64_t>(1, (int64_t{1} << 20) / m.columns);
  for (int64_t first = 0; first < m.rows; first += step) {
    const int64_t n = std::min(step, m.rows - first);
    Tensor piece = at::empty({n, m.columns}, f32());
    parallel_rows(m, first, n, piece.data_ptr<float>());
    use(first, piece);
  }
}

Tensor times_transposed(const Tensor& x, const StoredMatrix& m) {
  const Tensor rows = x.contiguous();
  CHECK(rows.size(1) == m.columns);
  Tensor y = at::empty({rows.size(0), m.rows}, f32());  // [n,O]
  if (y.numel() == 0) return y;
  const auto multiply = rows.size(0) <= kernels::kMatvecMaxRows ? kernels::matvec : kernels::gemm;
  multiply(m.dtype, m.bytes.data(), rows.data_ptr<float>(), rows.size(0), m.columns, m.rows,
           y.data_ptr<float>());
  return y;
}

}  // namespace expunge::tensor
