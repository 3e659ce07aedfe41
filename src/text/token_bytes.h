// What each token of a tokenizer writes, byte by byte: for replies that follow a grammar.
#pragma once

#include <string>
#include <vector>

#include "text/tokenizer.h"

namespace expunge::text {

// By id; "" for control tokens and ids without a token. Byte-level BPE and SentencePiece BPE.
base::Result<std::vector<std::string>> token_bytes(const Tokenizer& tokenizer);

}  // namespace expunge::text
