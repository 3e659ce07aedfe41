// The engine that computed an edit, for those who record it and do not see the tensor room.
#pragma once

#include "tensor/version.h"

namespace expunge::edit {

using tensor::libtorch_version;

}  // namespace expunge::edit
