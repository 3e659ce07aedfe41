// Runs the gates of a forget request: a base model against edited ones.
//
// Greedy replies. A forgotten question's reply of 24 tokens reveals none of its answers; a kept one
// still contains its answer where that is known, else begins exactly as the base model's reply. A
// model that always refuses fails on what is kept.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "base/job.h"
#include "edit/edit.h"
#include "model/chat_model.h"
#include "model/stage.h"
#include "verify/gate.h"

namespace expunge::verify {

// What several edits of one base model share: its replies, and the states below the layer.
class GateRun {
 public:
  // Asks the base model for the replies that kept questions are compared with, and runs all
  // prompts up to `questions.layer`. kInvalid: nothing to forget was given, or a question whose
  // answers no reply could reveal.
  static base::Result<GateRun> prepare(const model::ChatModel& base, const GateQuestions& questions,
                                       const base::Job& job = {});
  // The gates of the base model. Kept questions pass by definition; forgotten ones are asked.
  base::Result<Report> before(const base::Job& job = {});
  // The gates of a model that differs from the base at layers >= `questions.layer` only.
  base::Result<Report> examine(const model::Model& edited, const base::Job& job = {});

 private:
  friend base::Result<Report> examine(const model::ChatModel& base, const model::ChatModel& edited,
                                      const GateQuestions& questions, const base::Job& job);
  struct Case {
    const Gate* gate;
    Question question;
    std::vector<int32_t> reference = {};  // a kept question's reply; empty where answers are known
  };
  using Items = std::map<const Gate*, std::vector<Item>>;

  using Shared = std::shared_ptr<const model::ChatModel>;
  GateRun(Shared base, Shared asked, GateQuestions questions)
      : base_(std::move(base)), asked_(std::move(asked)), given_(std::move(questions)) {}
  static base::Result<GateRun> prepare(GateRun run, int64_t layer, const base::Job& job);
  base::Status collect();
  base::Status refer(const base::Job& job);
  base::Result<model::Stage> stage(const std::vector<Case>& cases, int64_t layer,
                                   const base::Job& job) const;
  base::Status judge_answers(const model::Model& model, const base::Job& job, Items& items);
  base::Status judge_openings(const model::Model& model, const base::Job& job, Items& items);
  base::Result<double> reply_nll(const Items& items, const base::Job& job) const;
  base::Result<Report> report(Items items, std::optional<double> texts_nll,
                              const base::Job& job) const;

  // Shared, since the stages refer to them and a GateRun is moved.
  Shared base_;
  Shared asked_;  // reads the prompts; as a rule the base
  GateQuestions given_;
  std::vector<Case> answered_;                  // judged by the answer
  std::vector<Case> opened_;                    // judged by how the reply opens
  std::optional<model::Stage> answered_stage_;  // continued by generation
  std::optional<model::Stage> opened_stage_;    // with the reply that they had
  std::optional<model::Stage> texts_stage_;
  std::optional<double> base_nll_;  // of the texts
};

// The gates of an edited model that may differ from the base everywhere, and read prompts in its
// own way: one that was written to a file in another precision.
base::Result<Report> examine(const model::ChatModel& base, const model::ChatModel& edited,
                             const GateQuestions& questions, const base::Job& job = {});

}  // namespace expunge::verify
