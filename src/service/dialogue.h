// A chat's two memories: what the model is shown, and what the watchdog reads.
//
// Requests to edit never reach the model, and once something is forgotten the turns that contain it
// are taken out of what the model is shown: otherwise it would read the answer there.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "agent/plan.h"
#include "model/chat_model.h"

namespace expunge::service {

class Dialogue {
 public:
  explicit Dialogue(std::string system);

  // A reply of the model, under these entries of the journal.
  void add_turn(const std::string& user, const std::string& assistant,
                std::vector<int64_t> under = {});
  void add_order(const std::string& user,
                 const std::string& answer);  // a request, seen by the watchdog only
  // Removes turns that reveal an answer of the plan from the model's view -> how many.
  size_t forget(const agent::Plan& plan);
  // Removes turns that were said under an entry which is not active any more from the model's
  // view: it would repeat what the edit made it say.
  void hide_undone(std::span<const int64_t> active);
  void clear();

  // The dialogue so far and this message, for the watchdog.
  std::vector<text::Message> heard(const std::string& user) const;
  // Ids of what the model is shown, with the oldest turns left out until `room` tokens are free.
  struct Shown {
    std::vector<int32_t> ids;
    size_t left_out = 0;  // turns
  };
  base::Result<Shown> shown(const model::ChatModel& chat_model, const std::string& user,
                            size_t room);

 private:
  struct Turn {
    std::string user, assistant;
    bool order;
    bool hidden;
    std::vector<int64_t> under = {};
  };
  std::vector<text::Message> messages(const std::string& user) const;
  std::string system_;
  std::vector<Turn> turns_;
};

}  // namespace expunge::service
