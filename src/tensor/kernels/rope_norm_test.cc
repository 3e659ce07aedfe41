#include "tensor/kernels/rope_norm.h"

#include <limits>

#include "tensor/kernels/kernel_test.h"

namespace expunge::tensor::kernels {
namespace {

template <class T>
std::vector<T> plain_norm(const std::vector<float>& x, const std::vector<float>& weight, T eps) {
  const size_t d = weight.size();
  std::vector<T> y;
  for (size_t r = 0; r < x.size() / d; ++r) {
    T squares = 0;
    for (size_t i = 0; i < d; ++i) squares += static_cast<T>(x[r * d + i]) * x[r * d + i];
    const T scale = 1 / std::sqrt(squares / static_cast<T>(d) + eps);
    for (size_t i = 0; i < d; ++i) y.push_back(x[r * d + i] * scale * weight[i]);
  }
  return y;
}

// The small magnitudes are where the epsilon decides.
TEST(RmsNorm, EqualsItsDefinitionOverShapesAndMagnitudes) {
  for (const int64_t d : {1, 31, 32, 33, 576})
    for (const int64_t rows : {1, 33})
      for (const double magnitude : {1e-4, 3e-3, 1.0, 1e4})
        for (const float eps : {1e-6F, 1e-5F}) {
          std::mt19937_64 rng(static_cast<uint64_t>(d * 7 + rows));
          const auto x = random_floats(rng, static_cast<size_t>(rows * d), magnitude);
          const auto weight = random_floats(rng, static_cast<size_t>(d), 2);
          std::vector<float> y(x.size(), -1);
          rms_norm(x.data(), weight.data(), rows, d, eps, y.data());
          expect_at_floor(y, plain_norm<float>(x, weight, eps), plain_norm<double>(x, weight, eps),
                          fmt::format("d {} rows {} magnitude {} eps {}", d, rows, magnitude, eps));
        }
}

TEST(RmsNorm, ARowOfZerosStaysZero) {
  const std::vector<float> x(33), weight(33, 1.0F);
  std::vector<float> y(33, -1);
  rms_norm(x.data(), weight.data(), 1, 33, 1e-5F, y.data());
  EXPECT_EQ(y, x);
}

template <class T>
std::vector<T> plain_rope(const std::vector<float>& x, const RopeShape& shape,
                          const std::vector<float>& cos, const std::vector<float>& sin) {
  std::vector<T> y(x.begin(), x.end());
  const auto heads = static_cast<size_t>(shape.heads), width = static_cast<size_t>(shape.head_dim);
  const auto half = static_cast<size_t>(shape.n_rotary / 2);
  for (size_t r = 0; r < static_cast<size_t>(shape.rows); ++r)
    for (size_t h = 0; h < heads; ++h)
      for (size_t i = 0; i < half; ++i) {
        const size_t a = (r * heads + h) * width + i, b = a + half, at = r * half + i;
        y[a] = static_cast<T>(x[a]) * cos[at] - static_cast<T>(x[b]) * sin[at];
        y[b] = static_cast<T>(x[b]) * cos[at] + static_cast<T>(x[a]) * sin[at];
      }
  return y;
}

TEST(Rope, EqualsItsDefinition) {
  for (const int64_t width : {2, 30, 32, 34, 64})
    for (const int64_t heads : {1, 3})
      for (const double magnitude : {1e-3, 1.0, 1e3})
        for (const int64_t rest : {int64_t{0}, int64_t{6}}) {  // components that are not rotated
          std::mt19937_64 rng(static_cast<uint64_t>(width + heads));
          const RopeShape shape{5, heads, width + rest, width};
          std::vector<float> cos, sin;
          for (int64_t i = 0; i < 5 * width / 2; ++i) {
            const auto angle = static_cast<double>(i * i);
            cos.push_back(static_cast<float>(std::cos(angle)));
            sin.push_back(static_cast<float>(std::sin(angle)));
          }
          auto x = random_floats(rng, static_cast<size_t>(5 * heads * (width + rest)), magnitude);
          const auto low = plain_rope<float>(x, shape, cos, sin);
          const auto want = plain_rope<double>(x, shape, cos, sin);
          rope(x.data(), shape, cos.data(), sin.data());
          expect_at_floor(x, low, want, fmt::format("K {} heads {}", width, heads));
        }
}

template <class T>
std::vector<T> plain_geglu(const std::vector<float>& gate, const std::vector<float>& up) {
  std::vector<T> y;
  for (size_t i = 0; i < gate.size(); ++i) {
    const T g = gate[i];
    const T u = std::sqrt(T{2} / static_cast<T>(M_PI)) * (g + static_cast<T>(0.044715) * g * g * g);
    y.push_back(static_cast<T>(0.5) * g * (1 + std::tanh(u)) * up[i]);
  }
  return y;
}

TEST(Geglu, EqualsItsDefinition) {
  for (const size_t n : {1, 31, 32, 33, 40000})
    for (const double magnitude : {1e-3, 1.0, 4.0}) {
      std::mt19937_64 rng(n);
      const auto gate = random_floats(rng, n, magnitude), up = random_floats(rng, n, 2);
      std::vector<float> y(n, -1);
      geglu(gate.data(), up.data(), static_cast<int64_t>(n), y.data());
      expect_at_floor(y, plain_geglu<float>(gate, up), plain_geglu<double>(gate, up),
                      fmt::format("n {} magnitude {}", n, magnitude));
    }
}

TEST(Geglu, SaturatesAtHugeGates) {
  for (const float size : {50.0F, 2000.0F, 1e30F}) {
    std::vector<float> gate(19), up(19, 1.0F), y(19);
    for (size_t i = 0; i < gate.size(); ++i) gate[i] = i % 2 ? size : -size;
    geglu(gate.data(), up.data(), static_cast<int64_t>(gate.size()), y.data());
    for (size_t i = 0; i < y.size(); ++i)
      EXPECT_NEAR(y[i], i % 2 ? size : 0.0F, size * 1e-6F) << size;
  }
}

template <class T>
std::vector<T> plain_swiglu(const std::vector<float>& gate, const std::vector<float>& up) {
  std::vector<T> y;
  for (size_t i = 0; i < gate.size(); ++i) {
    const T g = gate[i];
    y.push_back(g / (1 + std::exp(-g)) * up[i]);
  }
  return y;
}

// Edits sharpen gates far beyond what training gives; exp() of such values overflows.
TEST(Swiglu, SaturatesAtHugeGates) {
  for (const float size : {50.0F, 104.0F, 2000.0F, 1e30F}) {
    std::vector<float> gate(19), up(19, 1.0F), y(19);
    for (size_t i = 0; i < gate.size(); ++i) gate[i] = i % 2 ? size : -size;
    swiglu(gate.data(), up.data(), static_cast<int64_t>(gate.size()), y.data());
    for (size_t i = 0; i < y.size(); ++i)
      EXPECT_NEAR(y[i], i % 2 ? size : 0.0F, size * 1e-6F) << size;
  }
}

TEST(Swiglu, EqualsItsDefinition) {
  for (const size_t n : {1, 31, 32, 33, 40000})
    for (const double magnitude : {1e-3, 1.0, 10.0, 60.0}) {
      std::mt19937_64 rng(n);
      const auto gate = random_floats(rng, n, magnitude), up = random_floats(rng, n, 2);
      std::vector<float> y(n, -1);
      swiglu(gate.data(), up.data(), static_cast<int64_t>(n), y.data());
      expect_at_floor(y, plain_swiglu<float>(gate, up), plain_swiglu<double>(gate, up),
                      fmt::format("n {} magnitude {}", n, magnitude));
      auto in_place = gate;
      swiglu(in_place.data(), up.data(), static_cast<int64_t>(n), in_place.data());
      EXPECT_EQ(in_place, y);
    }
}

TEST(Swiglu, SaturatesWithoutNaN) {
  std::vector<float> gate(33, -500), up(33, 3), y(33);
  gate[0] = 500, gate[32] = 500;
  swiglu(gate.data(), up.data(), 33, y.data());
  EXPECT_EQ(y[0], 1500);
  EXPECT_EQ(y[32], 1500);
  for (size_t i = 1; i < 32; ++i) EXPECT_NEAR(y[i], 0, 1e-30);
}

}  // namespace
}  // namespace expunge::tensor::kernels
