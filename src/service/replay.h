// The weights built again from the model's file and its journal, and compared with the record.
#pragma once

#include "service/access.h"

namespace expunge::service {

struct Replayed {
  std::string weights_hash;
  bool is_base = false;  // the weights are those of the model's file
  size_t active = 0;     // edits
  std::string chain;     // of the journal's last entry
  double seconds = 0;    // loading the model included
};
// kCorrupt: the journal is damaged, or the weights differ.
base::Result<Replayed> replay(const Place& place, const base::Job& job);

}  // namespace expunge::service
