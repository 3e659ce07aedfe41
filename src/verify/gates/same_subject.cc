// Other questions about the subject.
#include "verify/gate.h"

namespace expunge::verify {

extern const Gate gate_same_subject;
const Gate gate_same_subject{
    .name = "same_subject",
    .section = Section::kKept,
    .label = "same subject",
    .what = "other questions about the subject are answered as before",
    .citation = "relation specificity of RippleEdits, arXiv 2307.12976; bound: two of three",
    .bound = 0.66,
    .questions = [](const GateQuestions& given) { return given.same_subject; },
};

}  // namespace expunge::verify
