#include "model/family.h"

#include <algorithm>

#include "tables/families.inc"  // made by the build from families/*.cc

namespace expunge::model {

std::vector<const Family*> families() { return {std::begin(kFamilies), std::end(kFamilies)}; }

const Family* find_family(std::string_view word) {
  for (const Family* f : kFamilies)
    if (std::ranges::find(f->words, word) != f->words.end()) return f;
  return nullptr;
}

}  // namespace expunge::model
