#include "service/dialogue.h"

#include <algorithm>

#include "verify/reveals.h"

namespace expunge::service {

Dialogue::Dialogue(std::string system) : system_(std::move(system)) {}

void Dialogue::add_turn(const std::string& user, const std::string& assistant,
                        std::vector<int64_t> under) {
  turns_.push_back({user, assistant, false, false, std::move(under)});
}

void Dialogue::hide_undone(std::span<const int64_t> active) {
  for (Turn& turn : turns_)
    turn.hidden = turn.hidden || !std::ranges::all_of(turn.under, [&](int64_t id) {
                    return std::ranges::find(active, id) != active.end();
                  });
}

void Dialogue::add_order(const std::string& user, const std::string& answer) {
  turns_.push_back({user, answer, true, true});
}

void Dialogue::clear() { turns_.clear(); }

size_t Dialogue::forget(const agent::Plan& plan) {
  size_t n = 0;
  for (Turn& turn : turns_) {
    const bool reveals = std::ranges::any_of(plan.targets, [&](const agent::Target& t) {
      return verify::reveals(turn.user, t.answers) || verify::reveals(turn.assistant, t.answers);
    });
    if (!reveals || turn.hidden) continue;
    turn.hidden = true;
    ++n;
  }
  return n;
}

std::vector<text::Message> Dialogue::heard(const std::string& user) const {
  std::vector<text::Message> list;
  for (const Turn& turn : turns_) {
    list.push_back({"user", turn.user});
    list.push_back({"assistant", turn.assistant});
  }
  list.push_back({"user", user});
  return list;
}

std::vector<text::Message> Dialogue::messages(const std::string& user) const {
  std::vector<text::Message> list;
  if (!system_.empty()) list.push_back({"system", system_});
  for (const Turn& turn : turns_) {
    if (turn.hidden) continue;
    list.push_back({"user", turn.user});
    list.push_back({"assistant", turn.assistant});
  }
  list.push_back({"user", user});
  return list;
}

base::Result<Dialogue::Shown> Dialogue::shown(const model::ChatModel& chat_model,
                                              const std::string& user, size_t room) {
  const auto most = static_cast<size_t>(chat_model.model.arch().context_length);
  Shown shown;
  for (;;) {
    shown.ids = TRY(chat_model.encode(messages(user)));
    if (shown.ids.size() + room <= most) return shown;
    const auto oldest = std::ranges::find(turns_, false, &Turn::hidden);
    if (oldest == turns_.end()) return shown;  // the message alone: generate refuses it if too long
    oldest->hidden = true;
    ++shown.left_out;
  }
}

}  // namespace expunge::service
