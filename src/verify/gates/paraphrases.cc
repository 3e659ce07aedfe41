// Wordings that the edit was not made from.
#include "verify/gate.h"

namespace expunge::verify {

extern const Gate gate_paraphrases;
const Gate gate_paraphrases{
    .name = "paraphrases",
    .section = Section::kForgotten,
    .label = "unseen paraphrases",
    .what = "wordings kept out of the edit are forgotten",
    .citation = "paraphrase score of CounterFact, ROME arXiv 2202.05262; bound: two of three",
    .bound = 0.66,
    .aim = Aim::kEvery,
    .questions = [](const GateQuestions& given) { return given.paraphrases; },
};

}  // namespace expunge::verify
