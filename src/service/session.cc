#include "service/session.h"

#include <algorithm>

#include "base/version.h"
#include "edit/version.h"
#include "service/inquiry.h"

namespace expunge::service {

using base::Code;
using base::fail;
using base::Json;
using base::Result;

namespace {

constexpr size_t kRechecked = 8;  // earlier entries after a change

std::string lower(std::string_view text) {
  std::string s(text);
  std::ranges::transform(s, s.begin(), [](unsigned char c) { return std::tolower(c); });
  return s;
}

// The same question with the same answer, in any case.
bool forgets_the_same(const agent::Plan& earlier, const agent::Target& target) {
  return std::ranges::any_of(earlier.targets, [&](const agent::Target& t) {
    return lower(t.prompt) == lower(target.prompt) &&
           lower(t.replacement) == lower(target.replacement) &&
           std::ranges::any_of(
               t.answers, [&](const std::string& a) { return lower(a) == lower(target.response); });
  });
}

journal::Draft draft_of(const agent::Plan& plan, const repair::Outcome& outcome, uint64_t seed) {
  journal::Draft draft;
  Json requests = Json::array();
  for (const agent::Target& t : plan.targets)
    requests.push_back({{"prompt", t.prompt}, {"response", t.response}});
  draft.request = {{"intent", agent::name(plan.intent)}, {"targets", requests}};
  draft.plan = agent::to_json(plan);
  draft.method = plan.method;
  draft.report = {{"before", verify::to_json(outcome.before, verify::Detail::kItems)},
                  {"after", verify::to_json(outcome.after, verify::Detail::kItems)},
                  {"edit_norm", outcome.edit_norm}};
  draft.verdict = repair::name(outcome.verdict);
  draft.seed = seed;
  return draft;
}

std::vector<journal::Entry> without(std::vector<journal::Entry> entries, int64_t id) {
  std::erase_if(entries, [&](const journal::Entry& e) { return e.id == id; });
  return entries;
}

}  // namespace

Result<std::unique_ptr<Session>> Session::open(const SessionOptions& options) {
  return open(TRY(model::load_chat_model(options.model, options.activations)), options);
}

Result<std::unique_ptr<Session>> Session::open(model::ChatModel model,
                                               const SessionOptions& options) {
  auto s = std::unique_ptr<Session>(new Session(model, options));
  const std::string hash = TRY(model.model.file_hash());
  const std::string path =
      options.journal.empty() ? TRY(journal::default_path(hash)) : options.journal;
  journal::OpenOptions open;
  open.mode = options.mode;
  open.expunge = std::string(base::kVersion);
  open.libtorch = edit::libtorch_version();
  s->journal_ = TRY(journal::Journal::open(path, {hash, "", model.path}, open));
  TRY(s->refresh());
  return s;
}

std::shared_ptr<const repair::Snapshot> Session::snapshot() const {
  const std::lock_guard lock(snapshot_mutex_);
  return snapshot_;
}

void Session::publish(repair::Snapshot snapshot) {
  auto next = std::make_shared<const repair::Snapshot>(std::move(snapshot));
  const std::lock_guard lock(snapshot_mutex_);
  snapshot_.swap(next);
}

base::Status Session::refresh() {
  return with_journal([&](journal::Journal& j) -> base::Status {
    const int64_t head = TRY(j.head());
    const auto now = snapshot();
    if (head == now->head) return {};
    auto edits = TRY(j.active_edits());
    model::Model present = TRY(edit::apply(now->base.model, edits));
    publish({head, now->base, std::move(edits), now->base.with(std::move(present))});
    return {};
  });
}

Result<model::ChatModel> Session::with_entries(std::span<const int64_t> ids) {
  const auto now = snapshot();
  std::vector<journal::Entry> active;
  if (now->head > 0)
    active = TRY(with_journal([&](journal::Journal& j) { return j.active(now->head); }));
  for (const int64_t id : ids)
    if (std::ranges::find(active, id, &journal::Entry::id) == active.end())
      return fail(Code::kNotFound, fmt::format("entry {} is not active", id));
  std::vector<edit::Edit> edits;
  for (size_t i = 0; i < active.size(); ++i)
    if (std::ranges::find(ids, active[i].id) != ids.end()) edits.push_back(now->edits[i]);
  if (edits.size() == now->edits.size()) return now->present;
  return now->base.with(TRY(edit::apply(now->base.model, edits)));
}

const std::shared_ptr<Decoder>& Session::decoder() {
  std::call_once(decoder_made_, [this] { decoder_ = std::make_shared<Decoder>(); });
  return decoder_;
}

Result<std::shared_ptr<const Agents>> Session::agents() {
  const std::lock_guard lock(agents_mutex_);
  if (!agents_) agents_ = TRY(Agents::open(present(), decoder()));
  return agents_;
}

Result<agent::Plan> Session::plan(std::vector<agent::Request> requests, agent::Intent intent,
                                  const base::Job& job) {
  TRY(refresh());
  TRY(agent::check_requests(requests));
  const agent::Surgeon& surgeon = TRY(agents())->surgeon();
  const model::ChatModel model = present();
  std::vector<agent::Request> whole;
  for (const agent::Request& r : requests) {
    if (r.topic && r.response.empty() && r.answers.empty())
      std::ranges::move(TRY(of_topic(model, surgeon, r, job)), std::back_inserter(whole));
    else
      whole.push_back(r);
  }
  requests.clear();
  std::vector<agent::Material> materials;
  for (agent::Request& r : whole) {
    Inquiry inquiry = TRY(inquire(model, surgeon, std::move(r), job));
    requests.push_back(std::move(inquiry.request));
    materials.push_back(std::move(inquiry.material));
  }
  agent::Plan plan = TRY(agent::make_plan(baseline_.wordings(), requests, materials, intent));
  plan.gates = TRY(verify::complete_bounds(plan.gates));
  return plan;
}

base::Status Session::check_new(const agent::Plan& plan) {
  for (const journal::Entry& e : TRY(active())) {
    if (!repair::has_questions(e)) continue;
    const auto earlier = agent::plan_from_json(e.plan);
    if (!earlier) continue;
    for (const agent::Target& t : plan.targets)
      if (forgets_the_same(*earlier, t))
        return fail(Code::kConflict, fmt::format("entry {} forgets '{}' already", e.id, t.prompt),
                    fmt::format("expunge verify {} asks it again, expunge undo {} takes it back",
                                e.id, e.id));
  }
  return {};
}

Result<repair::Outcome> Session::forget(agent::Plan plan, const repair::ForgetOptions& options,
                                        journal::Seal seal, const base::Job& job) {
  const base::Stopwatch total;
  const std::lock_guard changing(change_mutex_);
  TRY(refresh());
  for (agent::Target& t : plan.targets) {
    if (!t.answers.empty()) continue;
    if (t.response.empty())
      t.response = TRY(inquire(present(), TRY(agents())->surgeon(), {.prompt = t.prompt}, job))
                       .request.response;
    t.answers = {t.response};
  }
  TRY(check_new(plan));
  repair::Outcome outcome = TRY(repair::forget(*snapshot(), baseline_, plan, options, job));
  if (outcome.verdict != repair::Verdict::kReverted) {
    base::Stopwatch clock;
    outcome.entry = TRY(commit(outcome.edit, draft_of(plan, outcome, options.seed), seal));
    outcome.seconds["commit"] = clock.seconds();
    clock = {};
    const auto now = snapshot();
    outcome.active = now->edits.size();
    outcome.earlier =
        TRY(repair::recheck(now->present, without(TRY(active()), outcome.entry), kRechecked, job));
    outcome.seconds["recheck"] = clock.seconds();
  }
  outcome.seconds["total"] = total.seconds();
  return outcome;
}

Result<int64_t> Session::add(edit::Edit edit, journal::Draft draft) {
  const std::lock_guard changing(change_mutex_);
  return commit(std::move(edit), std::move(draft), journal::Seal::kNo);
}

// If another process appended meanwhile, nothing is recorded and the snapshot stays.
Result<int64_t> Session::commit(edit::Edit edit, journal::Draft draft, journal::Seal seal) {
  const auto now = snapshot();
  model::Model present = TRY(edit::apply(now->present.model, edit));
  auto edits = now->edits;
  edits.push_back(edit);
  draft.edit = std::move(edit);
  draft.weights_hash = present.weights_hash();
  const int64_t id =
      TRY(with_journal([&](journal::Journal& j) { return j.append(draft, now->head, seal); }));
  publish({id, now->base, std::move(edits), now->base.with(std::move(present))});
  return id;
}

Result<Undone> Session::undo(int64_t id, const base::Job& job) {
  const std::lock_guard changing(change_mutex_);
  TRY(refresh());
  const auto now = snapshot();
  const std::string base = base_hash();
  const auto entries = TRY(active());
  if (entries.empty()) return fail(Code::kNotFound, "there is nothing to undo");
  if (id == 0) id = entries.back().id;
  const base::Stopwatch clock;
  const auto found = std::ranges::find(entries, id, &journal::Entry::id);
  if (found == entries.end()) {
    TRY(with_journal([&](journal::Journal& j) { return j.entry(id); }));
    return fail(Code::kConflict, fmt::format("entry {} is not active", id),
                "expunge log shows which entries are");
  }
  auto edits = now->edits;
  edits.erase(edits.begin() + (found - entries.begin()));
  model::Model present = TRY(edit::apply(now->base.model, edits));
  journal::Draft draft;
  draft.kind = journal::Kind::kUndo;
  draft.undoes = id;
  draft.verdict = "undone";
  draft.weights_hash = present.weights_hash();
  Undone undone;
  undone.undone = id;
  undone.weights_hash = draft.weights_hash;
  undone.entry = TRY(with_journal([&](journal::Journal& j) { return j.append(draft, now->head); }));
  publish({undone.entry, now->base, std::move(edits), now->base.with(std::move(present))});
  undone.seconds = clock.seconds();
  undone.is_base = undone.weights_hash == base;
  undone.others = TRY(repair::recheck(snapshot()->present, without(entries, id), kRechecked, job));
  return undone;
}

Result<std::vector<repair::Verified>> Session::verify(int64_t id, const model::ChatModel* written,
                                                      const base::Job& job) {
  TRY(refresh());
  const auto now = snapshot();
  std::vector<journal::Entry> active, asked;  // of the snapshot
  if (now->head > 0)
    active = TRY(with_journal([&](journal::Journal& j) { return j.active(now->head); }));
  for (const journal::Entry& e : active) {
    if (id == 0 ? !repair::has_questions(e) : e.id != id) continue;
    if (e.sealed)
      return fail(Code::kUnsupported, fmt::format("entry {} is sealed: its questions are gone", id),
                  "give the question again with expunge generate");
    if (!repair::has_questions(e))
      return fail(Code::kUsage,
                  fmt::format("entry {} was trained on sets, which the journal does not hold", id),
                  fmt::format("name them: expunge verify {} --forget F --retain R", id));
    asked.push_back(e);
  }
  if (asked.empty()) {
    if (id == 0) return std::vector<repair::Verified>();
    return fail(Code::kNotFound, fmt::format("there is no active entry {}", id),
                "expunge log shows which entries are active");
  }
  return written ? repair::verify_written(*now, baseline_, *written, asked, job)
                 : repair::verify(*now, baseline_, asked, job);
}

base::Status Session::replay() {
  const std::lock_guard changing(change_mutex_);
  struct Recorded {
    std::vector<journal::Entry> entries;
    std::vector<edit::Edit> active;
    int64_t head = 0;
  };
  Recorded recorded = TRY(with_journal([](journal::Journal& j) -> Result<Recorded> {
    TRY(j.check());
    return Recorded{TRY(j.entries()), TRY(j.active_edits()), TRY(j.head())};
  }));
  const model::ChatModel base = snapshot()->base;
  const model::Model present = TRY(edit::apply(base.model, recorded.active));
  const std::string hash = present.weights_hash();
  const auto last = std::find_if(recorded.entries.rbegin(), recorded.entries.rend(),
                                 [](const journal::Entry& e) { return !e.weights_hash.empty(); });
  if (last != recorded.entries.rend() && last->weights_hash != hash)
    return fail(
        Code::kCorrupt,
        fmt::format("the weights hash to {}, entry {} recorded {}", hash.substr(0, 16), last->id,
                    last->weights_hash.substr(0, 16)),
        "another LibTorch or processor may round differently; expunge verify asks the gates");
  publish({recorded.head, base, std::move(recorded.active), base.with(present)});
  return {};
}

}  // namespace expunge::service
