// What the surgeon wrote about a request, checked by asking the model that is to be edited.
#pragma once

#include "agent/surgeon/surgeon.h"
#include "model/chat_model.h"

namespace expunge::service {

struct Inquiry {
  agent::Request request;  // with an answer
  agent::Material material;
};
// An open answer becomes the model's own. kInvalid if it gives none; kRefused if it answers
// otherwise as soon as it is asked in other words: then it does not know, and its reply is an
// invention. Of the wordings those stay to which the model gives the answer, if it does to any: one
// that it answers otherwise asks something else, or proves nothing.
base::Result<Inquiry> inquire(const model::ChatModel& model, const agent::Surgeon& surgeon,
                              agent::Request request, const base::Job& job);

// A request about a topic as the questions about it that the model has an answer to. kRefused if
// there are none.
base::Result<std::vector<agent::Request>> of_topic(const model::ChatModel& model,
                                                   const agent::Surgeon& surgeon,
                                                   const agent::Request& topic,
                                                   const base::Job& job);

}  // namespace expunge::service
