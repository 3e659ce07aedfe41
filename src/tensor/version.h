// Which LibTorch this program was built with, "2.15.0".
#pragma once

#include <string_view>

namespace expunge::tensor {

std::string_view libtorch_version();

}  // namespace expunge::tensor
