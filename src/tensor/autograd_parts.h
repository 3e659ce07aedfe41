// What differentiable operations are made of.
#pragma once

#include "tensor/autograd.h"

#pragma push_macro("CHECK")
#undef CHECK
#include <torch/csrc/autograd/custom_function.h>
#undef CHECK
#pragma pop_macro("CHECK")

namespace expunge::tensor {

using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

// The state of a graph node that is not a tensor.
template <class T>
struct Capsule : torch::CustomClassHolder {
  explicit Capsule(T v) : value(std::move(v)) {}
  T value;
};
template <class T>
c10::IValue capsule(T value) {
  return c10::IValue::make_capsule(c10::make_intrusive<Capsule<T>>(std::move(value)));
}
template <class T>
const T& in_capsule(const c10::IValue& value) {
  return static_cast<const Capsule<T>*>(value.toCapsule().get())->value;
}

}  // namespace expunge::tensor
