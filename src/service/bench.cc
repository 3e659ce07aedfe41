#include "service/bench.h"

#include "agent/watchdog/bench.h"
#include "base/files.h"
#include "publish/publish.h"
#include "service/access.h"
#include "service/bench_facts.h"
#include "service/forget.h"

namespace expunge::service {

using base::Code;
using base::fail;
using base::Json;
using base::Result;

namespace {

constexpr const char* kRequest = "Please forget that the capital of France is Paris.";

// The model with the journal's edits as an export writes it, read again.
Result<model::ChatModel> written(Session& session, const std::string& path, tensor::DType dtype) {
  publish::ExportOptions file;
  file.path = path;
  file.dtype = dtype;
  TRY(session.with_journal([&](journal::Journal& journal) {
    return publish::export_model(session.present().model, journal, file);
  }));
  return model::load_chat_model(file.path, session.present().model.activations());
}

}  // namespace

Result<Json> bench_request(const Place& place, const base::Job& job) {
  const auto session = TRY(open_session(place, journal::Mode::kReadWrite));
  const IntentReader reader = TRY(IntentReader::make("", *session));
  const Heard heard = TRY(hear(*session, reader, kRequest, job));
  if (!heard.plan)
    return fail(Code::kUnsupported, fmt::format("'{}' is not understood", kRequest),
                "this model's watchdog reads it otherwise");
  repair::Outcome outcome = TRY(session->forget(*heard.plan, {}, journal::Seal::kNo, job));
  for (const auto& [what, seconds] : heard.seconds) outcome.seconds[what] += seconds;
  Json json = {{"request", kRequest},
               {"verdict", repair::name(outcome.verdict)},
               {"seconds", outcome.seconds}};
  if (outcome.verdict != repair::Verdict::kReverted)
    json["undo_s"] = TRY(session->undo(outcome.entry, job)).seconds;
  return json;
}

Result<Json> bench_facts(const Place& place, const Scratch& scratch, const BenchFacts& facts,
                         const base::Job& job) {
  BenchFactsOptions options{facts.file, facts.unrelated, facts.sequence, facts.limit, {}, {}};
  options.plan = [&](Session& s, const agent::Request& r) {
    return make_plan(s, {r}, agent::Intent::kForget, facts.plan, job);
  };
  if (!facts.written.empty()) {
    const auto dtype = tensor::dtype_from_name(facts.written);
    if (!dtype)
      return fail(Code::kUsage, fmt::format("no weight type is called '{}'", facts.written),
                  "e.g. Q8_0, Q4_1, F16, F32");
    options.written = [&scratch, dtype](Session& s) {
      return written(s, scratch.file("written.gguf"), *dtype);
    };
  }
  const auto session = TRY(open_session(place, journal::Mode::kReadWrite));
  return bench_facts(*session, options, job);
}

Result<Json> bench_watchdog(const Place& place, const std::string& file, const base::Job& job) {
  const auto items = TRY(agent::examples_from_jsonl(TRY(base::read_file(file)), file));
  const model::ChatModel chat = TRY(model::load_chat_model(place.model, place.activations));
  const auto agents = TRY(Agents::open(chat, std::make_shared<Decoder>()));
  return agent::bench_watchdog(items, agents->model(), job);
}

}  // namespace expunge::service
