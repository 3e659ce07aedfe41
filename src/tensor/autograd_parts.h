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
struct Kept : torch::CustomClassHolder {
  explicit Kept(T v) : value(std::move(v)) {}
  T value;
};
template <class T>
c10::IValue keep(T value) {
  return c10::IValue::make_capsule(c10::make_intrusive<Kept<T>>(std::move(value)));
}
template <class T>
const T& kept(const c10::IValue& value) {
  return static_cast<const Kept<T>*>(value.toCapsule().get())->value;
}

}  // namespace expunge::tensor
