// The engine that computed an edit, for code that records it and does not include tensor.
#pragma once

#include "tensor/version.h"

namespace expunge::edit {

using tensor::libtorch_version;

}  // namespace expunge::edit
