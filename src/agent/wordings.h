// The surgeon's library (data/wordings.json, built into the program): in which words a question can
// be asked, and what else is asked about the same subject.
#pragma once

#include <re2/re2.h>

#include <memory>
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
  std::vector<std::unique_ptr<RE2>> match;  // group 1 = the subject
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

// What a question asks, and of whom: one of the library's relations with the subject that stands in
// it. relation is null if none matches; the subject then is a guess from quotation marks, capitals
// or "of …", or empty.
struct QuestionForm {
  const Relation* relation = nullptr;
  std::string subject;
};
QuestionForm read_question(const Wordings& wordings, std::string_view question);

}  // namespace expunge::agent
