// A library of questions (data/wordings.json, built into the program): forms around any question,
// common questions that a preparation learns a model from, and texts that must stay as they are.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"

namespace expunge::agent {

// {X} stands for the subject, {q} for the question.
struct SubjectType {
  std::string name;  // "country"
  std::vector<std::string> entities, other, other_first;
};
struct Relation {
  std::string name, type;
  std::vector<std::string> questions, first, prefills;
};

class Wordings {
 public:
  static const Wordings& builtin();
  static base::Result<Wordings> parse(std::string_view json);

  std::vector<std::string> wrappers, subject_first, prefills, subject_questions,
      subject_questions_first, unrelated;
  std::vector<std::string> prose;       // paragraphs for perplexity and for the pool
  std::vector<std::string> held_prose;  // for the perplexity of benchmarks; in no pool
  std::string refusal, refusal_begun;   // what is said instead, whole and up to its last words
  std::string hash;                     // SHA-256 of the source
  std::vector<SubjectType> types;
  std::vector<Relation> relations;

  const SubjectType* type(std::string_view name) const;
};

std::string fill_in(std::string pattern, std::string_view subject, std::string_view question = {});

// What a question is about: quoted text, else the last name, else what follows the last "of",
// "for", "in" …; "" if there is nothing of the kind.
std::string guess_subject(std::string_view question);

}  // namespace expunge::agent
