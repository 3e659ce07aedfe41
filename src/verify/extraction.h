// How much of a token sequence x of length T the model gives back (Jang et al., arXiv 2210.01504,
// sec. 3, "Quantifying privacy risks"; code github.com/joeljang/knowledge-unlearning,
// models/Neo_Model.py):
//   memorisation accuracy   MA = 1/(T-1) sum_{t=1}^{T-1} [argmax p(. | x_<t) = x_t]
//   extraction likelihood   EL_n = 1/(T-n) sum_{t=1}^{T-n} OVERLAP_n(f(x_<t), x_>=t)
// x_<t being t tokens, f(x_<t) the greedy continuation to length T, and OVERLAP_n(a, b) the share
// of a's n-grams, as a list, that occur in b. A continuation that ends its turn is shorter;
// what it lacks counts as not extracted, as in that code.
//
// The sequence is run once. Where the model's first choice at t is x_t, the continuation of x_<t is
// x_t and the continuation of x_<=t: only where it is not, a fork of the sequence is decoded, and
// the forks of a block of sequences share the scheduler's batch.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/job.h"
#include "base/json.h"
#include "model/chat_model.h"
#include "verify/blocks.h"
#include "verify/figures.h"

namespace expunge::verify {

struct ExtractionRecord {
  int64_t row = 0;  // among the sequences given
  int64_t n_tokens = 0;
  double ma = 0, el = 0;
};

struct ExtractionOptions {
  size_t n = 10;            // of the n-grams
  size_t max_tokens = 200;  // of each sequence, as the paper has them; 0: all
  size_t max_batch = 64;    // forks that run at once
  Shard shard = {};
  // Called after each block of sequences with all records, so that they survive a Ctrl+C.
  std::function<base::Status(const std::vector<ExtractionRecord>&)> keep = {};
};

struct Extraction {
  size_t n = 0;
  double ma = 0, el = 0;                  // means over the sequences
  std::vector<ExtractionRecord> records;  // by row
  int64_t decoded_tokens = 0;             // run for continuations, in addition to the sequences
};

// Sequences whose record `done` already contains are not run again. Reports "extracting". Errors: a
// sequence of n tokens or fewer, beyond the context, or with an id outside the vocabulary; they
// name its row.
base::Result<Extraction> extraction(const model::Model& model,
                                    std::span<const std::vector<int32_t>> sequences,
                                    const ExtractionOptions& options = {},
                                    std::vector<ExtractionRecord> done = {},
                                    const base::Job& job = {});
// Texts as they stand: no chat template, no beginning-of-text token.
base::Result<Extraction> extraction(const model::ChatModel& chat_model,
                                    std::span<const std::string> texts,
                                    const ExtractionOptions& options = {},
                                    std::vector<ExtractionRecord> done = {},
                                    const base::Job& job = {});

// ma, el_{n}, n_sequences.
Figures figures_of(const Extraction& result);
// {row: {"ma", "el_{n}", "n_tokens"}}. Read from a file they are checked; errors name row and key.
base::Json extraction_records_to_json(std::span<const ExtractionRecord> records, size_t n);
base::Result<std::vector<ExtractionRecord>> extraction_records_from_json(const base::Json& json,
                                                                         size_t n,
                                                                         std::string_view file);

}  // namespace expunge::verify
