#include "tensor/stored_matrix.h"

#include <algorithm>
#include <atomic>

#include "tensor/kernels/gemm.h"
#include "tensor/kernels/matvec.h"
#include "tensor/kernels/pool.h"

namespace expunge::tensor {
namespace {

std::span<const std::byte> rows_of(const StoredMatrix& m, int64_t first, int64_t n) {
  return m.bytes.subspan(static_cast<size_t>(first * m.row_bytes()),
                         static_cast<size_t>(n * m.row_bytes()));
}

}  // namespace

StoredMatrix stored(const Tensor& t) {
  CHECK(t.dim() == 2 && t.is_contiguous() && t.scalar_type() == at::kFloat);
  return {
      DType::kF32, {static_cast<const std::byte*>(t.data_ptr()), t.nbytes()}, t.size(0), t.size(1)};
}

base::Result<std::string> quantised(DType dtype, const Tensor& values) {
  const DTypeInfo& type = info(dtype);
  const Tensor v = values.contiguous();
  CHECK(v.numel() == 0 || v.size(-1) % static_cast<int64_t>(type.block) == 0);
  const auto blocks = v.numel() / static_cast<int64_t>(type.block);
  std::string bytes(static_cast<size_t>(blocks) * type.bytes, '\0');
  const auto out = std::as_writable_bytes(std::span(bytes));
  const std::span<const float> in(v.data_ptr<float>(), static_cast<size_t>(v.numel()));
  std::atomic<bool> failed = false;
  kernels::parallel_for(0, blocks, 4096, [&](int64_t begin, int64_t end) {
    const auto first = static_cast<size_t>(begin), n = static_cast<size_t>(end - begin);
    if (!quantise(dtype, in.subspan(first * type.block, n * type.block),
                  out.subspan(first * type.bytes, n * type.bytes)))
      failed = true;
  });
  if (failed) return tl::unexpected(quantise(dtype, in, out).error());
  return bytes;
}

Tensor dequantised(DType dtype, std::span<const std::byte> bytes, at::IntArrayRef shape) {
  Tensor values = at::empty(shape, f32());
  const DTypeInfo& type = info(dtype);
  const auto blocks = values.numel() / static_cast<int64_t>(type.block);
  float* out = values.data_ptr<float>();
  kernels::parallel_for(0, blocks, 4096, [&](int64_t begin, int64_t end) {
    const auto first = static_cast<size_t>(begin), n = static_cast<size_t>(end - begin);
    dequantise(dtype, bytes.subspan(first * type.bytes, n * type.bytes),
               {out + first * type.block, n * type.block});
  });
  return values;
}

Tensor dequantised(const StoredMatrix& m) {
  return dequantised(m.dtype, m.bytes, {m.rows, m.columns});
}

Tensor dequantised_rows(const StoredMatrix& m, const Tensor& rows) {
  Tensor y = at::empty({rows.size(0), m.columns}, f32());  // [n,I]
  for (int64_t i = 0; i < rows.size(0); ++i) {
    const int64_t row = rows.data_ptr<int64_t>()[i];
    CHECK(row >= 0 && row < m.rows, "row {}", row);
    dequantise(m.dtype, rows_of(m, row, 1),
               {y.data_ptr<float>() + i * m.columns, static_cast<size_t>(m.columns)});
  }
  return y;
}

void for_each_piece(const StoredMatrix& m,
                    const std::function<void(int64_t first, const Tensor& values)>& use) {
  const int64_t step = std::max<int64_t>(1, (int64_t{1} << 20) / m.columns);
  for (int64_t first = 0; first < m.rows; first += step) {
    const int64_t n = std::min(step, m.rows - first);
    use(first, dequantised(m.dtype, rows_of(m, first, n), {n, m.columns}));
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
