// A patient with its journal: what a chat, a command or a server works on.
//
// Every change is a transaction: measure, propose with the model unchanged, examine in a scope,
// then append to the journal and commit, or leave everything as it was and say why.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "agent/surgeon.h"
#include "base/run.h"
#include "journal/journal.h"
#include "model/chat_model.h"
#include "repair/problem.h"
#include "verify/report.h"

namespace expunge::repair {

struct SessionOptions {
  std::string model;    // as model::find_model takes it
  std::string journal;  // "" = journal::default_path of the model
  journal::Mode mode = journal::Mode::kReadWrite;
  base::Progress progress;
};

enum class Verdict {
  kPassed,   // every gate passed; committed
  kPartial,  // some gate failed; committed because the user chose so
  kReverted  // some gate failed; nothing changed
};
std::string_view name(Verdict verdict);

enum class Decision { kKeepPartial, kRevert };

struct CarryOptions {
  // Asked when the best edit fails a gate; empty = revert (nobody is there to choose).
  std::function<Decision(const verify::Report& best)> decide;
  journal::Seal seal = journal::Seal::kNo;
  double budget_s = 20;  // for the search
  uint64_t seed = 1;
};

// How an earlier entry stands now: its exact question and one held wording asked again.
struct Recheck {
  int64_t entry = 0;
  int64_t asked = 0, forgotten = 0;
};

// As far as a sequence was measured to keep nine of ten neighbours (docs/results.md).
inline constexpr size_t kMeasuredEdits = 20;

struct Outcome {
  Verdict verdict = Verdict::kReverted;
  int64_t entry = 0;             // of the journal; 0 if reverted
  size_t active = 0;             // edits that hold now
  verify::Report before, after;  // gates without and with the edit
  std::vector<Recheck> earlier;  // entries sampled again after a commit
  std::map<std::string, double>
      seconds;  // background, plan, capture, solve, search, gates, commit, recheck; total
  base::Json search = base::Json::array();  // every candidate with its figures
  double edit_norm = 0;                     // |ΔW| / |W| over the edited tensors
};

struct Undone {
  int64_t undone = 0, entry = 0;
  std::string weights_hash;
  bool is_base = false;  // the weights' hash equals the unedited model's
  std::vector<Recheck> others;
  double seconds = 0;  // until the weights are back; the re-checks come after
};

struct Verified {
  int64_t entry = 0;
  verify::Report now;
};

class Session {
 public:
  static base::Result<std::unique_ptr<Session>> open(const SessionOptions& options);

  const model::ChatModel& patient() const { return patient_; }
  journal::Journal& journal() { return *journal_; }
  base::Result<std::string> base_hash();  // weights_hash without edits; computed once

  // Weights = file + the journal's active edits, also when another process has appended.
  base::Status refresh();
  // A plan for requests; where a response is missing the model is asked and its reply taken.
  base::Result<agent::Plan> plan(std::vector<agent::Request> requests, agent::Intent intent);
  base::Result<Outcome> carry_out(agent::Plan plan, const CarryOptions& options);
  // Commits an edit that was made of the present weights elsewhere (a training) -> its entry. The
  // draft's edit and weights_hash are filled in.
  base::Result<int64_t> add(edit::Edit edit, journal::Draft draft,
                            journal::Seal seal = journal::Seal::kNo);
  // id 0 = the last active edit. Errors: kNotFound, kConflict (already undone).
  base::Result<Undone> undo(int64_t id);
  // The gates of one active entry (id), or of all of them (0), asked of the present weights or of a
  // `written` model that holds the edits. Sealed entries cannot be asked again.
  base::Result<std::vector<Verified>> verify(int64_t id, const model::ChatModel* written = nullptr);
  // Builds the weights again from file and journal and compares with the hash recorded last.
  base::Status replay();

  const base::Progress& progress() const { return progress_; }
  void set_progress(base::Progress progress) { progress_ = std::move(progress); }

 private:
  Session(model::ChatModel patient) : patient_(std::move(patient)) {}
  // What the method and the gates need once a model, learned on the unedited one.
  base::Result<unlearn::PreparedPtr> prepared(const unlearn::Method& method);
  base::Result<std::string> present_answer(const std::string& prompt);
  base::Status complete(agent::Plan& plan);
  // Rows and gates of a target, examined from `layer` on.
  base::Result<Assignment> assign(const agent::Target& target, const agent::Plan& plan,
                                  int64_t layer);
  base::Status append(const agent::Plan& plan, edit::Edit edit, const CarryOptions& options,
                      Outcome& outcome);
  base::Result<std::vector<Recheck>> recheck(int64_t except, size_t at_most);

  model::ChatModel patient_;
  std::optional<journal::Journal> journal_;
  std::map<std::string_view, unlearn::PreparedPtr> prepared_;  // by method
  verify::References references_;                              // states at references_layer_
  int64_t references_layer_ = 0;                               // 0: not loaded
  std::string base_hash_;
  int64_t head_ = -1;  // of the journal when the weights were built
  base::Progress progress_;
};

}  // namespace expunge::repair
