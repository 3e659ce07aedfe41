// The gates of a forget request: what must be gone, what must have stayed, how the model speaks.
//
// Shares over questions, greedy replies. A forgotten question's reply of 24 tokens reveals none of
// its answers; a kept one still contains its answer where that is known, else begins exactly as the
// unedited model's reply. An always-refusing model fails on what is kept.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "edit/edit.h"
#include "model/chat_model.h"
#include "model/stage.h"
#include "verify/report.h"

namespace expunge::verify {

using tensor::Tensor;

struct Question {
  std::string prompt;
  std::string prefill;  // beginning of the assistant's answer; usually ""
  std::vector<std::string>
      answers;  // any of them; none for a kept question = the model's own reply
  // Where they are known already: that reply's first tokens, the end of the turn among them, and
  // the residual stream [n,D] that enters the examined layer at the prompt's and reply's tokens.
  std::vector<int32_t> reply = {};
  Tensor entering = {};
  std::string replacement = {};  // what a corrected question must be answered with; "" = nothing
};

struct Text {
  std::vector<int32_t> ids;
  Tensor entering = {};  // as in Question
};

struct GateQuestions {
  std::vector<Question> exact, paraphrases, probing;          // forgotten
  std::vector<Question> neighbours, same_subject, unrelated;  // kept
  std::vector<Text> texts;                                    // perplexity
  std::map<std::string, double, std::less<>> bounds;          // by gate name; all eight
  // Mean NLL of the texts under the unedited weights, where the model at hand is edited already.
  std::optional<double> texts_nll = std::nullopt;
};

// An alternative stands in the reply: up to three characters as a word, and with a capital (a
// symbol) in that case; else anywhere in any case.
bool reveals(std::string_view reply, const std::vector<std::string>& answers);

inline constexpr int64_t kReplyTokens = 24, kKeptTokens = 8;

class Examiner {
 public:
  // Stages all questions for edits at layers >= `layer` and asks the model for the replies that
  // kept questions are compared with.
  static base::Result<Examiner> prepare(const model::ChatModel& patient, const GateQuestions& suite,
                                        int64_t layer);
  // The gates without an edit. What is kept is so by definition; forgotten questions are asked.
  base::Result<Report> before();
  // Mean nats a token of the texts that perplexity is compared with.
  double base_nll() const { return base_nll_; }
  // The gates of another model, which differs from it at layers >= `layer` only.
  base::Result<Report> examine(const model::Model& edited);

 private:
  struct Case {
    std::string gate;
    Question question;
    bool kept;
    std::vector<int32_t>
        reference;  // a kept question's reply so far; empty where answers are known
  };
  explicit Examiner(const model::ChatModel& patient) : patient_(&patient) {}
  base::Status refer(std::vector<Case>& cases);
  base::Result<double> texts_nll(const model::Model& model);
  base::Status judge_asked(const model::Model& model, std::map<std::string, Gate>& gates);
  base::Status judge_followed(const model::Model& model, std::map<std::string, Gate>& gates);
  base::Result<Report> report(std::map<std::string, Gate> gates, Gate perplexity) const;
  base::Result<double> reply_nll(const Gate& exact) const;

  const model::ChatModel* patient_;
  std::map<std::string, double, std::less<>> bounds_;
  std::vector<Case> asked_, followed_;
  std::optional<model::Stage> asked_stage_;     // continued by generation
  std::optional<model::Stage> followed_stage_;  // kept questions with the reply they had
  std::optional<model::Stage> texts_stage_;
  double base_nll_ = 0;
  bool edited_already_ = false;
};

}  // namespace expunge::verify
