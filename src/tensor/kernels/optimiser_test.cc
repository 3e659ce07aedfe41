#include "tensor/kernels/optimiser.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "tensor/kernels/kernel_test.h"

namespace expunge::tensor::kernels {
namespace {

std::vector<float> draws(size_t n, uint64_t seed, double size) {
  std::mt19937_64 rng(seed);
  std::vector<float> x(n);
  for (float& v : x)
    v = static_cast<float>((static_cast<double>(rng() >> 11) * 0x1p-52 - 1) * size);
  return x;
}

// The published update, term by term in float64.
void plain(const AdamW& o, const std::vector<float>& g, std::vector<double>& w,
           std::vector<double>& m, std::vector<double>& v) {
  for (size_t i = 0; i < g.size(); ++i) {
    const double gradient = static_cast<double>(g[i]) * o.gradient_scale;
    m[i] = o.beta1 * m[i] + (1 - o.beta1) * gradient;
    v[i] = o.beta2 * v[i] + (1 - o.beta2) * gradient * gradient;
    const double m_hat = m[i] / (1 - std::pow(o.beta1, static_cast<double>(o.step)));
    const double v_hat = v[i] / (1 - std::pow(o.beta2, static_cast<double>(o.step)));
    w[i] -= o.lr * o.weight_decay * w[i] + o.lr * m_hat / (std::sqrt(v_hat) + o.eps);
  }
}

TEST(AdamW, EqualsThePublishedUpdate) {
  for (const size_t n : {1, 31, 32, 33, 70000})
    for (const double size : {1e-6, 1.0, 1e3}) {
      std::vector<float> w = draws(n, 1, 1), m(n), v(n);
      std::vector<double> w64(w.begin(), w.end()), m64(n), v64(n);
      const std::vector<double> start = w64;
      AdamW how{1e-2, 0.9, 0.999, 1e-8, 0.01, 0, 0.5};
      for (how.step = 1; how.step <= 3; ++how.step) {
        const std::vector<float> g = draws(n, 10 + static_cast<uint64_t>(how.step), size);
        adamw(how, g.data(), static_cast<int64_t>(n), w.data(), m.data(), v.data());
        plain(how, g, w64, m64, v64);
      }
      double error = 0, moved = 0;
      for (size_t i = 0; i < n; ++i) {
        error += std::pow(static_cast<double>(w[i]) - w64[i], 2);
        moved += std::pow(w64[i] - start[i], 2);
      }
      // Weights of about one moved by about 0.03: rounding of the weight is 4e-6 of that.
      EXPECT_LT(std::sqrt(error / moved), 3e-5) << n << " " << size;
    }
}

}  // namespace
}  // namespace expunge::tensor::kernels
