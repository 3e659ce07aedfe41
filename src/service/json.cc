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

Json to_json(const Carried& c, verify::Detail detail) {
  if (!c.outcome) return {{"verdict", "declined"}, {"entry", 0}};
  Json json = to_json(*c.outcome, detail);
  json["targets"] = Json::array();
  for (const agent::Target& t : c.plan.targets)
    json["targets"].push_back({{"prompt", t.prompt}, {"response", t.response}});
  return json;
}

Json to_json(const Turn& turn) {
  Json json = {
      {"user", turn.user}, {"assistant", turn.assistant}, {"intent", agent::name(turn.intent)}};
  if (const auto* forgot = std::get_if<Forgot>(&turn.result))
    json["outcome"] = to_json(forgot->outcome, verify::Detail::kFigures);
  if (const auto* undone = std::get_if<Undone>(&turn.result)) json["undone"] = to_json(*undone);
  return json;
}

Json to_json(const LoggedEntry& e) {
  Json json = journal::to_json(e.entry);
  json["active"] = e.active;
  if (e.undone_by != 0) json["undone_by"] = e.undone_by;
  return json;
}

Json to_json(const Log& log) {
  Json entries = Json::array();
  for (const LoggedEntry& e : log.entries) entries.push_back(to_json(e));
  return {{"journal", log.journal.empty() ? Json() : Json(log.journal)},
          {"active", log.active},
          {"entries", std::move(entries)}};
}

Json to_json(const VerifyResult& result, verify::Detail detail) {
  Json entries = Json::array();
  for (const repair::Verified& v : result.entries) {
    entries.push_back(verify::to_json(v.now, detail));
    entries.back()["entry"] = v.entry;
  }
  return {{"passed", result.passed()},
          {"sealed", result.sealed},
          {"trained", result.trained},
          {"entries", std::move(entries)}};
}

Json to_json(const ExportResult& result) {
  Json json = publish::to_json(result.exported);
  json["gates"] = to_json(result.gates, verify::Detail::kFigures);
  json["runtime_gates"] = to_json(result.runtime_gates, verify::Detail::kFigures);
  return json;
}

Json to_json(const Replayed& r) {
  return {{"weights_hash", r.weights_hash},
          {"is_base", r.is_base},
          {"active", r.active},
          {"chain", r.chain},
          {"seconds", r.seconds}};
}

Json to_json(const Reply& reply) {
  return {{"text", reply.text},
          {"ids", reply.ids},
          {"stop", reply.stop == model::Stop::kEndOfTurn ? "end_of_turn"
                   : reply.stop == model::Stop::kLength  ? "length"
                                                         : "caller"},
          {"prompt_tokens", reply.prompt_tokens}};
}

Json to_json(const Finetuned& finetuned) {
  Json json = to_json(finetuned.summary);
  json["model"] = finetuned.saved.path;
  return json;
}

Json to_json(const EvaluateResult& result) {
  Json json = verify::to_json(result.runs.back().evaluation);
  if (result.runs.size() > 1) {
    const verify::Evaluation& base = result.runs.front().evaluation;
    json["base"] = verify::to_json(base.figures);
    json["base"]["skipped"] = verify::skipped_to_json(base.skipped);
  }
  if (!result.report.empty()) json["report"] = result.report;
  return json;
}

}  // namespace expunge::service
