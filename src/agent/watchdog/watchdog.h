// The watchdog: does the user want something forgotten, corrected, undone, reported, or nothing?
//
// A small trained model reads the whole dialogue (RePAIR, arXiv 2604.12820: watchdog). It never
// edits anything.
#pragma once

#include "agent/language_model.h"
#include "agent/watchdog/reading.h"

namespace expunge::agent {

// Of the message that is read, in bytes; longer ones are refused.
constexpr size_t kMaxMessage = 65536;
// A dialogue that can be read: it ends with a message of the user, of at most kMaxMessage bytes.
base::Status check_dialogue(std::span<const text::Message> dialogue);

// Errors: as check_dialogue; the model's own.
base::Result<Reading> read_dialogue(const LanguageModel& model,
                                    std::span<const text::Message> dialogue,
                                    const base::Job& job = {});

// The span of a reply that answers the question: what is to be forgotten where only the model
// knows it. "" for an empty reply.
base::Result<std::string> answer_in(const LanguageModel& model, const std::string& question,
                                    const std::string& reply, const base::Job& job = {});

}  // namespace expunge::agent
