// Whether the new reply is language: the base model's surprise at it.
#include "verify/gate.h"

namespace expunge::verify {

extern const Gate gate_reply_nll;
const Gate gate_reply_nll{
    .name = "reply_nll",
    .section = Section::kLanguage,
    .label = "reply, nats a token",
    .what = "surprise of the unedited model at the new reply: is it language?",
    .citation = "refusals of 24 sound edits: 1.9 to 2.5 nats a token (docs/results.md)",
    .bound = 3.5,
    .sense = Sense::kAtMost,
    .unit = Unit::kNats,
    .low = 0,
    .high = 20,
    .figure = [](const Observed& o) { return o.reply_nll; },
};

}  // namespace expunge::verify
