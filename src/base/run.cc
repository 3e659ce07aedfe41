#include "base/run.h"

#include <atomic>

namespace expunge::base {
namespace {
std::atomic<bool> g_cancel{false};
}

void request_cancel() { g_cancel.store(true, std::memory_order_relaxed); }
void clear_cancel() { g_cancel.store(false, std::memory_order_relaxed); }
bool cancel_requested() { return g_cancel.load(std::memory_order_relaxed); }
Status check_cancel() {
  if (cancel_requested()) return fail(Code::kCancelled, "cancelled");
  return {};
}

}  // namespace expunge::base
