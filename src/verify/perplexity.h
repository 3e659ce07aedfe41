// Perplexity of a text: exp of the mean negative log-likelihood of its tokens,
// PPL(x) = exp(-1/n sum_t ln p(x_t | x_<t)) (Jelinek et al. 1977), with x_<t cut to a window as in
// the "fixed-length models" page of transformers' documentation.
//
// Only the mean loss of a window is stored; a text of any length needs the memory of a few windows.
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

struct WindowRecord {
  int64_t begin = 0;  // its first token in the text
  double avg_loss = 0;
  int64_t n_tokens = 0;  // scored
};

struct PerplexityOptions {
  // Tokens a window; 0: 1024, or one less than the model's context if that is less, which is also
  // the most (scoring wants room for a token more).
  int64_t context = 0;
  // From one window's beginning to the next's, at most context; 0: context. A token that the window
  // before has scored is context only, so that each is scored once. Less means more context a token
  // and context / stride times the work. Without overlap a window's first token has no context and
  // is not scored.
  int64_t stride = 0;
  int64_t limit_tokens = 0;  // the text's first ones; 0: all
  Shard shard = {};
  // Called after each block of windows with all records, so that they survive a Ctrl+C.
  std::function<base::Status(const std::vector<WindowRecord>&)> keep = {};
};

struct Perplexity {
  double ppl = 0;        // infinite where exp(nll) overflows
  double nll = 0;        // nats a token
  int64_t n_tokens = 0;  // scored
  std::vector<WindowRecord> windows;
};

// Windows whose record `done`, of the same text and options, already contains are not scored again.
// Reports "perplexity". Errors: context or stride out of range; fewer than two tokens; a loss that
// is not finite.
base::Result<Perplexity> perplexity(const model::Model& model, std::span<const int32_t> ids,
                                    const PerplexityOptions& options = {},
                                    std::vector<WindowRecord> done = {}, const base::Job& job = {});
// The text as it stands: no chat template, no beginning-of-text token.
base::Result<Perplexity> perplexity(const model::ChatModel& chat_model, const std::string& text,
                                    const PerplexityOptions& options = {},
                                    std::vector<WindowRecord> done = {}, const base::Job& job = {});

// ppl, nll, n_tokens, n_windows; an infinite ppl is absent.
Figures figures_of(const Perplexity& result);
// {"windows": {begin: {"avg_loss", "n_tokens"}}}. When read they are checked; errors name window
// and key.
base::Json window_records_to_json(std::span<const WindowRecord> records);
base::Result<std::vector<WindowRecord>> window_records_from_json(const base::Json& json,
                                                                 std::string_view file);

}  // namespace expunge::verify
