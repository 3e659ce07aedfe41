// Questions about anything else, the same for every request.
#include "verify/gate.h"

namespace expunge::verify {

extern const Gate gate_unrelated;
const Gate gate_unrelated{
    .name = "unrelated",
    .section = Section::kKept,
    .label = "unrelated",
    .what = "unrelated questions are answered as before",
    .citation = "locality, MEND arXiv 2110.11309; bound: ten of twelve",
    .bound = 0.83,
    .questions = [](const GateQuestions& given) { return given.unrelated; },
};

}  // namespace expunge::verify
