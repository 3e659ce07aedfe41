// The edited model as a file for other programs, verified after it was written.
#pragma once

#include "base/job.h"
#include "publish/publish.h"
#include "service/verify.h"

namespace expunge::service {

struct ExportResult {
  publish::Exported exported;
  VerifyResult gates;  // of every active entry that can be asked, by the written model
};
// If a gate fails the file stays: look at gates.passed().
base::Result<ExportResult> export_model(Session& session, const publish::ExportOptions& options,
                                        const base::Job& job);

}  // namespace expunge::service
