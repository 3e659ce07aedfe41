#include "service/share.h"

namespace expunge::service {

verify::Share share_of(const tensor::Group* group) {
  if (!group) return {};
  return {static_cast<size_t>(group->rank()), static_cast<size_t>(group->size())};
}

base::Result<base::Json> joined(tensor::Group& group, const base::Json& own) {
  base::Json all = base::Json::object();
  for (const std::string& text : TRY(group.gather(base::dump_json(own))))
    all.update(TRY(base::parse_json(text, "records of the group")), true);
  return all;
}

}  // namespace expunge::service
