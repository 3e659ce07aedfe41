#include "tensor/version.h"

#include <torch/headeronly/version.h>

namespace expunge::tensor {

std::string_view libtorch_version() { return TORCH_VERSION; }

}  // namespace expunge::tensor
