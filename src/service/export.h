// The edited model as a file for other programs, verified after it was written.
#pragma once

#include "base/job.h"
#include "publish/publish.h"
#include "service/verify.h"

namespace expunge::service {

struct ExportResult {
  publish::Exported exported;
  VerifyResult gates;  // of every active entry that can be asked, by the written model
  // The same with activations rounded as llama.cpp rounds them; of a GGUF alone.
  VerifyResult runtime_gates = {};
  bool passed() const { return gates.passed() && runtime_gates.passed(); }
};
// If a gate fails the file stays: look at passed().
base::Result<ExportResult> export_model(Session& session, const publish::ExportOptions& options,
                                        const base::Job& job);

}  // namespace expunge::service
