#include "tensor/kernels/product.h"

#include "tensor/kernels/kernel_test.h"
#include "tensor/kernels/pool.h"
#include "tensor/tensor.h"

namespace expunge::tensor::kernels {
namespace {

struct Operands {
  Form form;
  ProductSize size;
  std::vector<float> a, b, c;
  int64_t a_stride, b_stride, c_stride;
};

// Rows lie 3, 5 and 7 floats further apart than they are long.
Operands operands(Form form, ProductSize s, double magnitude) {
  std::mt19937_64 rng(static_cast<uint64_t>(s.m * 1000003 + s.n * 1009 + s.k));
  Operands o{form, s, {}, {}, {}, 0, 0, s.n + 7};
  o.a_stride = (form == Form::kTN ? s.m : s.k) + 3;
  o.b_stride = (form == Form::kNT ? s.k : s.n) + 5;
  o.a = random_floats(rng, static_cast<size_t>((form == Form::kTN ? s.k : s.m) * o.a_stride),
                      magnitude);
  o.b = random_floats(rng, static_cast<size_t>((form == Form::kNT ? s.n : s.k) * o.b_stride), 1);
  o.c = random_floats(rng, static_cast<size_t>(s.m * o.c_stride), magnitude);
  return o;
}

template <class T>
std::vector<T> plain(const Operands& o, Into into) {
  std::vector<T> c;
  for (int64_t m = 0; m < o.size.m; ++m)
    for (int64_t n = 0; n < o.size.n; ++n) {
      T sum = into == Into::kAdd ? o.c[static_cast<size_t>(m * o.c_stride + n)] : 0;
      for (int64_t k = 0; k < o.size.k; ++k) {
        const int64_t a = o.form == Form::kTN ? k * o.a_stride + m : m * o.a_stride + k;
        const int64_t b = o.form == Form::kNT ? n * o.b_stride + k : k * o.b_stride + n;
        sum += static_cast<T>(o.a[static_cast<size_t>(a)]) * o.b[static_cast<size_t>(b)];
      }
      c.push_back(sum);
    }
  return c;
}

std::vector<float> run(const Operands& o, Into into, std::vector<float> c) {
  product(o.form, o.size, {o.a.data(), o.a_stride}, {o.b.data(), o.b_stride}, into, c.data(),
          o.c_stride);
  return c;
}

constexpr Form kForms[] = {Form::kNT, Form::kNN, Form::kTN};

void check(Form form, ProductSize s, Into into, double magnitude) {
  const Operands o = operands(form, s, magnitude);
  const std::vector<float> c = run(o, into, o.c);
  std::vector<float> got;
  for (int64_t m = 0; m < s.m; ++m)
    for (int64_t n = 0; n < o.c_stride; ++n) {
      const auto at = static_cast<size_t>(m * o.c_stride + n);
      if (n < s.n)
        got.push_back(c[at]);
      else
        ASSERT_EQ(c[at], o.c[at]) << "between rows, " << m << ", " << n;
    }
  expect_at_floor(got, plain<float>(o, into), plain<double>(o, into),
                  fmt::format("form {} [{},{},{}] into {} magnitude {}", static_cast<int>(form),
                              s.m, s.n, s.k, static_cast<int>(into), magnitude));
}

TEST(Product, EqualsItsDefinitionOverOddShapes) {
  for (const Form form : kForms)
    for (const Into into : {Into::kReplace, Into::kAdd})
      for (const int64_t m : {1, 11, 13, 31, 32, 33})
        for (const int64_t n : {1, 7, 16, 31, 32, 33})
          for (const int64_t k : {1, 31, 32, 33}) check(form, {m, n, k}, into, 1);
}

TEST(Product, HoldsOverMagnitudesBlocksAndChunks) {
  const CallerThreads two(2);
  for (const Form form : kForms)
    for (const double magnitude : {1e-6, 1.0, 1e6}) {
      check(form, {61, 97, 576}, Into::kAdd, magnitude);
      check(form, {401, 35, 257}, Into::kReplace, magnitude);
    }
}

TEST(Product, IsTheSameBitsOnAnyNumberOfThreads) {
  for (const Form form : kForms) {
    const Operands o = operands(form, {200, 301, 300}, 1);
    const auto with = [&](int threads) {
      const CallerThreads limit(threads);
      return run(o, Into::kAdd, o.c);
    };
    EXPECT_EQ(with(7), with(1)) << static_cast<int>(form);
  }
}

}  // namespace
}  // namespace expunge::tensor::kernels
