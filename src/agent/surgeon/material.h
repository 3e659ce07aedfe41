// What a plan is made of, for one fact: other wordings of its question, and what must stay.
#pragma once

#include <string>
#include <vector>

#include "agent/language_model.h"

namespace expunge::agent {

struct Material {
  std::vector<std::string> wordings;     // of the question
  std::vector<std::string> typed;        // the same as people type it
  std::vector<std::string> completions;  // beginnings of a sentence that the answer ends
  std::vector<std::string> neighbours;   // the same question about other subjects
  std::vector<std::string> same_subject;
};

// Who writes it: a trained model (RePAIR, arXiv 2604.12820: surgeon).
class Surgeon {
 public:
  virtual ~Surgeon() = default;
  // `answer` "": unknown. Nothing in it is checked by asking the model that is to be edited.
  virtual base::Result<Material> write(const std::string& question, const std::string& answer,
                                       const base::Job& job) const = 0;
  // The span of a reply that answers the question.
  virtual base::Result<std::string> answer_in(const std::string& question, const std::string& reply,
                                              const base::Job& job) const = 0;
};

class ModelSurgeon final : public Surgeon {
 public:
  explicit ModelSurgeon(const LanguageModel& model) : model_(model) {}
  base::Result<Material> write(const std::string& question, const std::string& answer,
                               const base::Job& job) const override;
  base::Result<std::string> answer_in(const std::string& question, const std::string& reply,
                                      const base::Job& job) const override;

 private:
  const LanguageModel& model_;
};

}  // namespace expunge::agent
