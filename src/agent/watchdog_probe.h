// The watchdog's classifier: multinomial logistic regression with a ridge, float64, no LibTorch.
//
// Trained in its dual form on the Gram matrix, since there are far fewer examples than features;
// Böhning's bound on the Hessian (Boehning 1992) makes every step a solve with one fixed Cholesky
// factor, and every step an improvement.
#pragma once

#include <span>
#include <vector>

#include "base/json.h"

namespace expunge::agent {

class Probe {
 public:
  // features: equally long rows; labels in [0, n_classes).
  static Probe fit(std::span<const std::vector<float>> features, std::span<const int> labels,
                   int n_classes, double ridge);
  std::vector<double> probabilities(std::span<const float> features) const;
  size_t width() const { return weights_.empty() ? 0 : weights_[0].size() - 1; }
  const std::vector<std::vector<double>>& weights() const { return weights_; }  // [C][width + bias]

  base::Json to_json() const;
  static base::Result<Probe> from_json(const base::Json& json);

 private:
  std::vector<std::vector<double>> weights_;
};

}  // namespace expunge::agent
