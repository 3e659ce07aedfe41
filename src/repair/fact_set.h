// A file of facts to be forgotten, with what is asked about each afterwards (data/facts/README.md).
#pragma once

#include <string>
#include <vector>

#include "agent/surgeon/surgeon.h"
#include "base/error.h"
#include "verify/gate.h"

namespace expunge::repair {

struct Fact {
  agent::Request request;  // question and answers, nothing of what is measured
  std::string subject, relation;
  std::vector<verify::Question> paraphrases, neighbours, probing;
  // The file's other facts about this subject; the second with the subject's name before them.
  std::vector<verify::Question> same_subject, same_subject_first;
};

// JSON lines as in data/facts/facts.jsonl, the first `limit`; 0 = all.
base::Result<std::vector<Fact>> read_facts(const std::string& path, size_t limit);
// JSON lines {question, answer}.
base::Result<std::vector<verify::Question>> read_questions(const std::string& path);

// At least `n` facts if there are that many: after the given ones, their neighbours
// are to be forgotten too.
std::vector<Fact> lengthened(std::vector<Fact> facts, size_t n);

}  // namespace expunge::repair
