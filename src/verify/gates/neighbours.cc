// The same question about other subjects.
#include "verify/gate.h"

namespace expunge::verify {

extern const Gate gate_neighbours;
const Gate gate_neighbours{
    .name = "neighbours",
    .section = Section::kKept,
    .label = "neighbours",
    .what = "the same question about other subjects is answered as before",
    .citation = "neighborhood score of CounterFact, ROME arXiv 2202.05262; bound: three of four",
    .bound = 0.75,
    .aim = Aim::kEvery,
    .questions = [](const GateQuestions& given) { return given.neighbours; },
};

}  // namespace expunge::verify
