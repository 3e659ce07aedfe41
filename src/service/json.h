// What the service returns, as JSON: one codec per type, for --json and for a server.
// The keys are those of docs/commands.md.
#pragma once

#include "service/chat.h"
#include "service/evaluate.h"
#include "service/export.h"
#include "service/generate.h"
#include "service/replay.h"
#include "service/training.h"

namespace expunge::service {

base::Json to_json(const repair::Outcome& outcome, verify::Detail detail);
base::Json to_json(const Undone& undone);
base::Json to_json(const std::vector<repair::Recheck>& rechecks);
// Of a declined plan {"verdict": "declined", "entry": 0}.
base::Json to_json(const Carried& carried, verify::Detail detail);
base::Json to_json(const Turn& turn);
base::Json to_json(const LoggedEntry& entry);
base::Json to_json(const Log& log);
base::Json to_json(const VerifyResult& result, verify::Detail detail);
base::Json to_json(const ExportResult& result);
base::Json to_json(const Replayed& replayed);
base::Json to_json(const Reply& reply);
base::Json to_json(const Finetuned& finetuned);
// The last run; of the one before it the figures, as "base".
base::Json to_json(const EvaluateResult& result);

}  // namespace expunge::service
