// `expunge bench engine`: how fast the model runs, and what share of the machine that is. Every
// denominator (read bandwidth, GEMM rate) is measured in the same run, between the repeats.
#pragma once

#include <vector>
#include "base/job.h"
#include "base/json.h"

#include "model/chat_model.h"

namespace expunge::service {

double median(std::vector<double> values);  // 0 of none

struct BenchEngineOptions {
  int64_t prompt_tokens = 512;
  int64_t decode_tokens = 64;
  int64_t decode_context = 16;  // tokens before the first decoded one
  int repeats = 5;              // of each figure, alternating; medians are reported
};

// Keys (rates are medians over the repeats):
//   prompt_tok_s, decode_tok_s      from the file's blocks, what chat and forget run
//   start_s                         process start to the first token of a short prompt, with load
//   read_gb_s                       all threads reading memory once (GB = 1e9 bytes)
//   gemm_gflops                     LibTorch's float32 product of large square matrices
//   fma_gflops                      multiply-adds on registers alone: the processor's bound
//   prompt_gemm_share               rate of the prompt's matrix products over gemm_gflops
//   decode_read_share               bytes of weights read a second over read_gb_s
//   f32: {prompt_tok_s, decode_tok_s, prompt_gemm_share, decode_read_share}  the float32 weights
//   batch: {"4": tok/s, …}          decode of several sequences at once, all together
//   peak_mb, weights_mb, file_mb    peak resident memory before the float32 copy is made; sizes
//   threads, repeats, prompt_tokens, decode_tokens
base::Result<base::Json> bench_engine(const model::ChatModel& chat_model,
                                      const BenchEngineOptions& options = {},
                                      const base::Job& job = {});

}  // namespace expunge::service
