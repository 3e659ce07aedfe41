#include "repair/session.h"

#include <algorithm>

#include "agent/watchdog_spans.h"
#include "base/version.h"
#include "edit/version.h"
#include "repair/answer.h"
#include "repair/preparation.h"
#include "repair/references.h"
#include "repair/search.h"

namespace expunge::repair {
namespace {

using base::Code;
using base::fail;
using base::Json;
using base::Result;

// Several targets of one request become one edit whose provenance lists its parts.
edit::Edit joined(std::vector<edit::Edit> parts) {
  if (parts.size() == 1) return std::move(parts[0]);
  edit::Edit all;
  Json provenances = Json::array();
  for (const edit::Edit& part : parts) {
    provenances.push_back(part.provenance);
    all = edit::sum(all, part);
  }
  all.provenance = {{"method", provenances[0].value("method", "")}, {"parts", provenances}};
  return all;
}

}  // namespace

std::string_view name(Verdict verdict) {
  return verdict == Verdict::kPassed    ? "passed"
         : verdict == Verdict::kPartial ? "partial"
                                        : "reverted";
}

Result<std::unique_ptr<Session>> Session::open(const SessionOptions& options) {
  auto s = std::unique_ptr<Session>(new Session(TRY(model::load_chat_model(options.model))));
  s->progress_ = options.progress;
  const std::string hash = TRY(s->patient_.model.file_hash());
  const std::string path =
      options.journal.empty() ? TRY(journal::default_path(hash)) : options.journal;
  journal::OpenOptions open;
  open.mode = options.mode;
  open.expunge = std::string(base::kVersion);
  open.libtorch = edit::libtorch_version();
  s->journal_ = TRY(journal::Journal::open(path, {hash, "", s->patient_.path}, open));
  TRY(s->refresh());
  return s;
}

base::Status Session::refresh() {
  const int64_t head = TRY(journal_->head());
  if (head == head_) return {};
  const auto edits = TRY(journal_->active_edits());
  TRY(edit::commit(patient_.model, edits));
  head_ = head;
  return {};
}

Result<std::string> Session::base_hash() {
  if (base_hash_.empty()) {
    const auto edits = TRY(journal_->active_edits());
    TRY(edit::commit(patient_.model, {}));
    base_hash_ = patient_.model.weights_hash();
    TRY(edit::commit(patient_.model, edits));
  }
  return base_hash_;
}

Result<std::string> Session::present_answer(const std::string& prompt) {
  const verify::Question question{prompt, "", {}};
  const std::string reply = TRY(ask(patient_, {&question, 1}, verify::kReplyTokens))[0];
  std::string answer = agent::answer_span(prompt, reply);
  if (answer.empty())
    return fail(Code::kInvalid, fmt::format("the model gives no answer to '{}'", prompt),
                "say which answer is to be forgotten (--answer)");
  return answer;
}

Result<agent::Plan> Session::plan(std::vector<agent::Request> requests, agent::Intent intent) {
  TRY(refresh());
  for (agent::Request& r : requests) {
    if (r.prompt.empty() || !r.response.empty() || !r.answers.empty()) continue;
    r.response = TRY(present_answer(r.prompt));
  }
  return agent::make_plan(agent::Wordings::builtin(), requests, intent);
}

Result<unlearn::PreparedPtr> Session::prepared(const unlearn::Method& method) {
  if (const auto known = prepared_.find(method.name);
      known != prepared_.end() && references_layer_ == unlearn::first_layer(known->second))
    return known->second;
  // Learned on the unedited model, so that it does not depend on what came before.
  const auto edits = TRY(journal_->active_edits());
  TRY(edit::commit(patient_.model, {}));
  const auto load = [&]() -> base::Status {
    const base::Job job(progress_);
    prepared_[method.name] =
        TRY(unlearn::prepare(method, patient_.model, preparation_source(patient_), job));
    const int64_t layer = unlearn::first_layer(prepared_[method.name]);
    if (layer != references_layer_) references_ = TRY(load_references(patient_, layer));
    references_layer_ = layer;
    return {};
  };
  const base::Status loaded = load();
  TRY(edit::commit(patient_.model, edits));
  if (!loaded) {
    prepared_.erase(method.name);
    return tl::unexpected(loaded.error());
  }
  return prepared_[method.name];
}

Result<Assignment> Session::assign(const agent::Target& target, const agent::Plan& plan,
                                   int64_t layer) {
  if (layer == references_layer_)
    return repair::assign(patient_, target, plan.gates, references_, layer);
  verify::References
      plain;  // the states of the unedited model at the references' layer do not hold here
  for (const verify::Question& q : references_.unrelated)
    plain.unrelated.push_back({q.prompt, "", {}, q.reply});
  for (const verify::Text& t : references_.texts) plain.texts.push_back({t.ids});
  return repair::assign(patient_, target, plan.gates, plain, layer);
}

// The model is asked for answers that the plan leaves open.
base::Status Session::complete(agent::Plan& plan) {
  if (plan.intent != agent::Intent::kForget && plan.intent != agent::Intent::kCorrect)
    return fail(Code::kInvalid,
                fmt::format("a plan to '{}' changes nothing", agent::name(plan.intent)),
                "its intent must be forget or correct");
  for (agent::Target& t : plan.targets) {
    if (!t.answers.empty()) continue;
    if (t.response.empty()) t.response = TRY(present_answer(t.prompt));
    t.answers = {t.response};
  }
  return {};
}

Result<Outcome> Session::carry_out(agent::Plan plan, const CarryOptions& options) {
  const base::Stopwatch total;
  Outcome outcome;
  auto& seconds = outcome.seconds;
  TRY(refresh());
  TRY(agent::validate(plan));
  TRY(complete(plan));
  const unlearn::Method* method = TRY(unlearn::find_method(plan.method));
  base::Stopwatch clock;
  const unlearn::PreparedPtr prepared = TRY(this->prepared(*method));
  seconds["background"] = clock.seconds();
  const auto active = TRY(journal_->active_edits());
  outcome.active = active.size();
  std::vector<edit::Occupied> occupied;
  const auto occupy = [&](const edit::Edit& e) {
    occupied.insert(occupied.end(), e.occupied.begin(), e.occupied.end());
  };
  std::ranges::for_each(active, occupy);
  const int64_t layer = examined_layer(prepared, active);
  std::vector<edit::Edit> parts;
  std::vector<verify::Report> before, after;
  for (const agent::Target& target : plan.targets) {
    clock = {};
    if (progress_) progress_("asking the model", parts.size() + 1, plan.targets.size());
    const Assignment a = TRY(assign(target, plan, layer));
    seconds["plan"] += clock.seconds();
    clock = {};
    auto examiner = TRY(verify::Examiner::prepare(patient_, a.suite, layer));
    seconds["capture"] += clock.seconds();
    clock = {};
    before.push_back(TRY(examiner.before()));
    seconds["gates"] += clock.seconds();
    unlearn::PreparedPtr own = prepared;
    if (!target.replacement.empty())
      own = TRY(unlearn::with_answer(*method, patient_.model, prepared,
                                     TRY(replacement_lessons(patient_, target)), options.seed,
                                     base::Job(progress_)));
    clock = {};
    unlearn::Problem problem{.model = patient_.model,
                             .forget = a.rows.forget,
                             .retain = a.rows.retain,
                             .refusal = TRY(refusal_rows(patient_)),
                             .held = a.rows.held,
                             .seed = options.seed,
                             .prepared = own,
                             .related = a.rows.related,
                             .occupied = occupied};
    if (prepared && layer == unlearn::first_layer(prepared) && a.rows.retain_states.defined()) {
      const auto states_of = [&](const std::vector<unlearn::Row>& rows) {
        return unlearn::capture(patient_.model, rows, model::Point::kMlpInput, layer);
      };
      unlearn::States states{layer, TRY(states_of(a.rows.forget)), a.rows.retain_states};
      if (!a.rows.held.empty()) states.held = TRY(states_of(a.rows.held));
      problem.states = std::move(states);
    }
    seconds["capture"] += clock.seconds();
    clock = {};
    auto found = TRY(search(*method, problem, plan.knobs, examiner, options.budget_s, progress_));
    seconds["search"] += clock.seconds();  // what is neither solve nor gates
    for (const auto& [key, value] : found.seconds)
      seconds[key] += value, seconds["search"] -= value;
    occupy(found.best.edit);
    outcome.search.push_back(found.tried);
    after.push_back(found.best.report);
    parts.push_back(std::move(found.best.edit));
  }
  outcome.before = verify::merged(std::move(before));
  outcome.after = verify::merged(std::move(after));
  edit::Edit edit = joined(std::move(parts));
  outcome.edit_norm = edit::relative_norm(patient_.model, edit);
  outcome.verdict = outcome.after.passed() ? Verdict::kPassed
                    : options.decide && options.decide(outcome.after) == Decision::kKeepPartial
                        ? Verdict::kPartial
                        : Verdict::kReverted;
  if (outcome.verdict != Verdict::kReverted) {
    clock = {};
    TRY(append(plan, std::move(edit), options, outcome));
    seconds["commit"] = clock.seconds();
    clock = {};
    outcome.earlier = TRY(recheck(outcome.entry, 8));
    ++outcome.active;
    seconds["recheck"] = clock.seconds();
  }
  seconds["total"] = total.seconds();
  return outcome;
}

base::Status Session::append(const agent::Plan& plan, edit::Edit edit, const CarryOptions& options,
                             Outcome& outcome) {
  journal::Draft draft;
  Json requests = Json::array();
  for (const agent::Target& t : plan.targets)
    requests.push_back({{"prompt", t.prompt}, {"response", t.response}});
  draft.request = {{"intent", agent::name(plan.intent)}, {"targets", requests}};
  draft.plan = agent::to_json(plan);
  draft.method = plan.method;
  draft.report = {{"before", verify::to_json(outcome.before, verify::Detail::kFigures)},
                  {"after", verify::to_json(outcome.after, verify::Detail::kItems)},
                  {"edit_norm", outcome.edit_norm}};
  draft.verdict = name(outcome.verdict);
  draft.seed = options.seed;
  outcome.entry = TRY(add(std::move(edit), std::move(draft), options.seal));
  return {};
}

Result<int64_t> Session::add(edit::Edit edit, journal::Draft draft, journal::Seal seal) {
  auto edits = TRY(journal_->active_edits());
  edits.push_back(edit);
  TRY(edit::commit(patient_.model, edits));
  draft.edit = std::move(edit);
  draft.weights_hash = patient_.model.weights_hash();
  auto id = journal_->append(draft, head_, seal);
  if (!id) {  // nothing was recorded: the weights go back to what the journal says
    head_ = -1;
    TRY(refresh());
    return id;
  }
  head_ = *id;
  return id;
}

Result<Undone> Session::undo(int64_t id) {
  TRY(refresh());
  const std::string base = TRY(base_hash());
  const auto active = TRY(journal_->active());
  if (active.empty()) return fail(Code::kNotFound, "there is nothing to undo");
  if (id == 0) id = active.back().id;
  const base::Stopwatch clock;
  Undone undone;
  undone.undone = id;
  if (std::ranges::find(active, id, &journal::Entry::id) == active.end()) {
    TRY(journal_->entry(id));
    return fail(Code::kConflict, fmt::format("entry {} is not active", id),
                "expunge log shows which entries are");
  }
  std::vector<edit::Edit> rest;
  for (const journal::Entry& e : active)
    if (e.id != id) rest.push_back(TRY(journal_->edit(e.id)));
  TRY(edit::commit(patient_.model, rest));
  journal::Draft draft;
  draft.kind = journal::Kind::kUndo;
  draft.undoes = id;
  draft.verdict = "undone";
  draft.weights_hash = undone.weights_hash = patient_.model.weights_hash();
  auto entry = journal_->append(draft, head_);
  if (!entry) {
    head_ = -1;
    TRY(refresh());
    return tl::unexpected(std::move(entry.error()));
  }
  undone.entry = head_ = *entry;
  undone.seconds = clock.seconds();
  undone.is_base = undone.weights_hash == base;
  undone.others = TRY(recheck(0, 8));
  return undone;
}

}  // namespace expunge::repair
