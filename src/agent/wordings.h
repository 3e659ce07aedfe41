// The surgeon's library: how a question can be asked, and what else is asked about such a subject.
// Data: data/wordings.json, built into the program.
#pragma once

#include <regex>
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
  std::vector<std::regex> match;  // group 1 = the subject
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
  std::string hash;                     // SHA-256 of the source
  std::vector<SubjectType> types;
  std::vector<Relation> relations;

  const SubjectType* type(std::string_view name) const;
};

std::string fill_in(std::string pattern, std::string_view subject, std::string_view question = {});

// The relation a question asks for and its subject; relation is null when none matches, and then
// the subject is found by quotes, capitals or "of …", or is empty.
struct Reading {
  const Relation* relation = nullptr;
  std::string subject;
};
Reading read_question(const Wordings& wordings, const std::string& question);

}  // namespace expunge::agent
