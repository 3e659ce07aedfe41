// A model with its journal: what a chat, a command or a server works on, from any thread.
//
// A reader takes a snapshot and uses it. Changes (forget, add, undo) come one after the other;
// each is measured on a snapshot, appended to the journal, and then published by one pointer swap.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "agent/surgeon/surgeon.h"
#include "journal/journal.h"
#include "repair/recheck.h"
#include "service/agents.h"
#include "unlearn/method.h"

namespace expunge::service {

struct SessionOptions {
  std::string model = {};    // as model::find_model takes it
  std::string journal = {};  // "" = journal::default_path of the model
  journal::Mode mode = journal::Mode::kReadWrite;
  tensor::Activations activations = tensor::Activations::kFloat;
  // The surgeon's library; must outlive the session.
  const agent::Wordings* wordings = &agent::Wordings::builtin();
  std::shared_ptr<const Agents> agents = {};  // null: the built-in ones
};

// The longest sequence that was measured to keep nine of ten neighbours (docs/results.md).
inline constexpr size_t kMeasuredEdits = 20;

struct Undone {
  int64_t undone = 0, entry = 0;
  std::string weights_hash;
  bool is_base = false;  // the weights' hash equals the unedited model's
  std::vector<repair::Recheck> others;
  double seconds = 0;  // until the weights are back; the re-checks come after
};

class Session {
 public:
  static base::Result<std::unique_ptr<Session>> open(const SessionOptions& options);
  // The same on a model that is loaded already.
  static base::Result<std::unique_ptr<Session>> open(model::ChatModel model,
                                                     const SessionOptions& options);

  std::shared_ptr<const repair::Snapshot> snapshot() const;
  model::ChatModel present() const { return snapshot()->present; }
  // The model with these active entries alone, in the journal's order. Errors: kNotFound.
  base::Result<model::ChatModel> with_entries(std::span<const int64_t> ids);
  std::string base_hash() const { return snapshot()->base.model.weights_hash(); }

  // f(Journal&) -> Result, while no other thread uses the journal.
  template <class F>
  auto with_journal(const F& f) {
    const std::lock_guard lock(journal_mutex_);
    return f(*journal_);
  }
  const std::string& journal_path() const { return journal_->path(); }
  const agent::Wordings& wordings() const { return baseline_.wordings(); }
  base::Result<std::vector<journal::Entry>> active() {
    return with_journal([](journal::Journal& j) { return j.active(); });
  }

  // Decodes for all who talk; its thread begins at the first call.
  const std::shared_ptr<Decoder>& decoder();
  // Watchdog and surgeon; the built-in ones are loaded at the first call.
  base::Result<std::shared_ptr<const Agents>> agents();
  // Snapshot = file + the journal's active edits, also when another process has appended.
  base::Status refresh();
  // A plan for requests; where a response is missing the model is asked. Errors: as inquire and
  // of_topic.
  base::Result<agent::Plan> plan(std::vector<agent::Request> requests, agent::Intent intent,
                                 const base::Job& job = {});
  // Carries a plan out and commits the edit, unless the outcome is kReverted. kConflict if an
  // active entry forgets the same already; otherwise as repair::forget.
  base::Result<repair::Outcome> forget(agent::Plan plan, const repair::ForgetOptions& options,
                                       journal::Seal seal = journal::Seal::kNo,
                                       const base::Job& job = {});
  // Commits an edit made elsewhere from the present weights (a training) -> its entry. The
  // draft's edit and weights_hash are filled in.
  base::Result<int64_t> add(edit::Edit edit, journal::Draft draft);
  // id 0 = the last active edit. Errors: kNotFound, kConflict (already undone).
  base::Result<Undone> undo(int64_t id, const base::Job& job = {});
  // The gates of one active entry (id), or of all of them (0), asked of the present weights or of a
  // `written` model that has the edits. Sealed entries cannot be asked again.
  base::Result<std::vector<repair::Verified>> verify(int64_t id,
                                                     const model::ChatModel* written = nullptr,
                                                     const base::Job& job = {});
  // Builds the weights again from file and journal and compares with the hash recorded last.
  base::Status replay();

 private:
  Session(const model::ChatModel& model, const SessionOptions& options)
      : agents_(options.agents),
        baseline_(model, *options.wordings),
        snapshot_(std::make_shared<repair::Snapshot>(repair::Snapshot{-1, model, {}, model})) {}
  base::Result<int64_t> commit(edit::Edit edit, journal::Draft draft, journal::Seal seal);
  base::Status check_new(const agent::Plan& plan);
  void publish(repair::Snapshot snapshot);

  std::mutex change_mutex_;  // one change at a time; taken before the others
  std::mutex journal_mutex_;
  mutable std::mutex snapshot_mutex_;
  std::once_flag decoder_made_;
  std::shared_ptr<Decoder> decoder_;
  std::mutex agents_mutex_;
  std::shared_ptr<const Agents> agents_;
  std::optional<journal::Journal> journal_;
  repair::Baseline baseline_;
  std::shared_ptr<const repair::Snapshot> snapshot_;
};

}  // namespace expunge::service
