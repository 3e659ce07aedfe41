#include "service/verify.h"

#include <algorithm>

#include "service/entries.h"
#include "service/training.h"

namespace expunge::service {

using base::Code;
using base::fail;
using base::Json;
using base::Result;

namespace {

// The set that the entry was trained on, if it is `split`; else nothing.
Result<std::optional<std::vector<text::QaItem>>> set_of(const journal::Entry& e, const char* which,
                                                        const std::string& data,
                                                        const std::string& split) {
  const Json& known = e.request.at("examples").at(which);
  const auto n = known.value("items", size_t{0});
  if (n == 0 || split.empty()) return std::vector<text::QaItem>();
  auto items = TRY(text::read_qa(TRY(text::qa_file(data, split)), n));
  if (hash_of(items) != known.value("sha256", "")) return std::nullopt;
  return items;
}

// Nothing if the entry was trained on another set.
Result<std::optional<repair::Verified>> verify_training(const journal::Entry& e,
                                                        const VerifyRequest& request,
                                                        const Session& session,
                                                        const base::Job& job) {
  auto forget = TRY(set_of(e, "forget", request.data, request.forget));
  if (!forget) return std::nullopt;
  auto retain = TRY(set_of(e, "retain", request.data, request.retain));
  if (!retain)
    return fail(Code::kConflict,
                fmt::format("entry {} kept another set than {}", e.id, request.retain),
                "give the --retain it was trained with");
  const SetFigures now =
      TRY(probabilities(session.present(), e.request.value("system", ""), *forget, *retain, job));
  return repair::Verified{e.id, trained_report(e, to_json(now))};
}

Result<std::vector<repair::Verified>> verify_trainings(const VerifyRequest& request,
                                                       Session& session, const base::Job& job) {
  std::vector<repair::Verified> verified;
  for (const journal::Entry& e : TRY(session.active())) {
    if (e.sealed || !is_trained(e) || (request.entry != 0 && e.id != request.entry)) continue;
    if (auto one = TRY(verify_training(e, request, session, job)))
      verified.push_back(std::move(*one));
  }
  if (!verified.empty()) return verified;
  return fail(Code::kNotFound,
              request.entry != 0 ? fmt::format("entry {} is not active or was not trained on {}",
                                               request.entry, request.forget)
                                 : fmt::format("no active entry was trained on {}", request.forget),
              "expunge log shows which entries are active");
}

// The active entries that cannot be asked.
base::Status count_unasked(Session& session, VerifyResult& result) {
  for (const journal::Entry& e : TRY(session.active())) {
    result.sealed += e.sealed;
    result.trained += !e.sealed && is_trained(e) &&
                      !std::ranges::count(result.entries, e.id, &repair::Verified::entry);
  }
  return {};
}

}  // namespace

bool VerifyResult::passed() const {
  return std::ranges::all_of(entries, [](const repair::Verified& v) { return v.now.passed(); });
}

Result<VerifyResult> verify(Session& session, const VerifyRequest& request, const base::Job& job) {
  VerifyResult result;
  if (!request.forget.empty()) result.entries = TRY(verify_trainings(request, session, job));
  if (request.entry == 0) TRY(count_unasked(session, result));
  if (request.entry == 0 || result.entries.empty())
    for (repair::Verified& v : TRY(session.verify(request.entry, nullptr, job)))
      result.entries.push_back(std::move(v));
  std::ranges::sort(result.entries, {}, &repair::Verified::entry);
  return result;
}

Result<VerifyResult> verify_written(Session& session, const model::ChatModel& written,
                                    const base::Job& job) {
  VerifyResult result;
  TRY(count_unasked(session, result));
  result.entries = TRY(session.verify(0, &written, job));
  return result;
}

}  // namespace expunge::service
