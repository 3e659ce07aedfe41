#include "service/export.h"

#include <algorithm>

#include "service/entries.h"

namespace expunge::service {

using base::Result;

namespace {

// The written model; for an adapter, the original weights with it.
Result<model::ChatModel> load_written(const std::string& path, publish::Format format,
                                      const Session& session) {
  if (format != publish::Format::kPeft) return model::load_chat_model(path);
  const edit::Edit adapter = TRY(publish::read_adapter(path));
  model::ChatModel chat_model = TRY(model::load_chat_model(session.present().path));
  chat_model.model = TRY(edit::apply(chat_model.model, adapter));
  return chat_model;
}

}  // namespace

Result<ExportResult> export_model(Session& session, const publish::ExportOptions& options,
                                  const base::Job& job) {
  ExportResult result;
  result.exported = TRY(session.with_journal([&](journal::Journal& journal) {
    return publish::export_model(session.present().model, journal, options, job);
  }));
  const auto active = TRY(session.active());
  const bool any = std::ranges::any_of(
      active, [](const journal::Entry& e) { return !e.sealed && !is_trained(e); });
  if (any) {
    const model::ChatModel written =
        TRY_AT(result.exported.path, load_written(result.exported.path, options.format, session));
    result.gates = TRY(verify_written(session, written, job));
    if (options.format == publish::Format::kGguf) {
      constexpr auto kRounded = tensor::Activations::kQ8;
      SessionOptions same;
      same.journal = session.journal_path();
      same.mode = journal::Mode::kReadOnly;
      same.wordings = &session.wordings();
      const auto rounded = TRY(Session::open(session.snapshot()->base.computing(kRounded), same));
      result.runtime_gates = TRY(verify_written(*rounded, written.computing(kRounded), job));
    }
  } else {
    for (const journal::Entry& e : active)
      ++(e.sealed ? result.gates.sealed : result.gates.trained);
  }
  return result;
}

}  // namespace expunge::service
