// The question itself, as the request has it.
#include "verify/gate.h"

namespace expunge::verify {

extern const Gate gate_exact;
const Gate gate_exact{
    .name = "exact",
    .section = Section::kForgotten,
    .label = "the question itself",
    .what = "the question itself is forgotten",
    .citation = "efficacy of CounterFact, ROME arXiv 2202.05262",
    .bound = 1,
    .aim = Aim::kEvery,
    .questions = [](const GateQuestions& given) { return given.exact; },
};

}  // namespace expunge::verify
