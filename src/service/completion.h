// A reply as text while it is written: stop strings, log-probabilities, whole characters.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "model/chat_model.h"
#include "service/decoder.h"

namespace expunge::service {

struct TokenScore {
  int32_t id = 0;
  std::string text;
  // Natural logarithm; nothing for a prompt's first token, which follows none.
  std::optional<double> log_prob;
  std::vector<std::pair<std::string, double>> top =
      {};  // the likeliest tokens, the likeliest first
};
struct Piece {
  std::string text;                     // whole characters; may be empty
  std::vector<TokenScore> tokens = {};  // that it consists of; only if scores are wanted
};

struct CompletionOptions {
  model::Sampling sampling;
  int64_t max_new_tokens = 256;
  std::vector<std::string> stop = {};  // the reply ends before the first of these
  std::optional<size_t> n_top = {};    // scores are wanted, with as many likeliest tokens (0 to 20)
  // The prompt's tokens come first, with their scores if those are wanted; then the token that ends
  // the reply has a score too.
  enum class Echo { kNo, kYes, kOnly } echo = Echo::kNo;
};

enum class Ended { kStop, kLength };  // at its end of turn or a stop string; by its length
struct Completed {
  Ended ended = Ended::kStop;
  size_t prompt_tokens = 0, written_tokens = 0;
};

// Both are called by the decoding thread; they must not block. on_piece may return false: nobody
// listens any more.
using OnPiece = std::function<bool(Piece piece)>;
using OnCompleted = std::function<void(base::Result<Completed> result)>;

// Errors: as Decoder::submit; later ones reach on_done.
base::Status complete(Decoder& decoder, const model::ChatModel& chat_model,
                      std::vector<int32_t> prompt, const CompletionOptions& options,
                      const base::Job& job, OnPiece on_piece, OnCompleted on_done);

// Log-probabilities of a token and of the n likeliest, the likeliest first, from logits [V], which
// are finite or minus infinity.
struct LogProbs {
  double of_token = 0;
  std::vector<std::pair<int32_t, double>> top = {};
};
LogProbs log_probs(std::span<const float> logits, int32_t id, size_t n_top);

// Holds text back while it may be the beginning of a stop string.
class StopStrings {
 public:
  explicit StopStrings(std::vector<std::string> stop) : stop_(std::move(stop)) {}
  // What of the text so far can be given out. found() once a stop string has come: what follows is
  // never given out.
  std::string push(std::string_view text);
  std::string finish();
  bool found() const { return found_; }

 private:
  std::vector<std::string> stop_;
  std::string held_;
  bool found_ = false;
};

}  // namespace expunge::service
