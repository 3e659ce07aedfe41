#include "service/json.h"

namespace expunge::service {

using base::Json;

Json to_json(const std::vector<repair::Recheck>& rechecks) {
  Json list = Json::array();
  for (const repair::Recheck& r : rechecks)
    list.push_back({{"entry", r.entry}, {"asked", r.asked}, {"forgotten", r.forgotten}});
  return list;
}

Json to_json(const repair::Outcome& o, verify::Detail detail) {
  return {{"verdict", repair::name(o.verdict)},
          {"entry", o.entry},
          {"active", o.active},
          {"before", verify::to_json(o.before, detail)},
          {"after", verify::to_json(o.after, detail)},
          {"earlier", to_json(o.earlier)},
          {"seconds", o.seconds},
          {"search", o.search},
          {"edit_norm", o.edit_norm}};
}

Json to_json(const Undone& u) {
  return {{"undone", u.undone},
          {"entry", u.entry},
          {"weights_hash", u.weights_hash},
          {"is_base", u.is_base},
          {"others", to_json(u.others)},
          {"seconds", u.seconds}};
}

}  // namespace expunge::service
