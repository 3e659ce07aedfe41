// What passes a guard of OpenAI's routes: of a request all that can be read, of a reply only fields
// that are known and checked. Logarithmic probabilities, reasoning and whatever else a server adds
// never pass.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "guard/scanner.h"
#include "server/openai.h"

namespace expunge::server {

// Every string of a value, names of fields too, a line each.
std::string words_of(const base::Json& json);
// Of a request: its messages, tools, prompts, … but not the model's name. At the end stand the
// messages' texts without anything between, and those of the user alone.
std::string words_of_request(const base::Json& body);
// The words of the last message, or of the prompt.
std::string query_of(Kind kind, const base::Json& body);

// Takes out of a chat the earlier turns that touch a target, question and answer together.
void drop_touched_turns(base::Json& body, const guard::Scanner& scanner);
// The request as it goes on. Errors: kInvalid for what cannot be read: lists of token ids.
base::Result<base::Json> forwarded(Kind kind, const base::Json& body);

// The known counts of a reply's or a chunk's usage; nothing if it has none.
std::optional<base::Json> clean_usage(const base::Json& reply);
// A reply's known fields. Errors: kUnavailable: it is not such a reply.
base::Result<base::Json> clean_reply(Kind kind, const base::Json& reply);
// The reply with this text in place of all it says, n times.
base::Json with_text(Kind kind, base::Json clean, const std::string& text, size_t n);
// The same as a stream: chunks, usage if it is wanted, the end.
std::string as_stream(Kind kind, const base::Json& clean, bool wants_usage);

// What is said where a target's words cannot be: the same whichever target it is.
std::string decline_words(const guard::Scanner& scanner, const std::vector<guard::Hit>& hits);

}  // namespace expunge::server
