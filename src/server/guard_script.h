// The two ends of a guard in an evaluation: a model that says what it is told to, and a client that
// keeps all it hears.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "server/guard_disguises.h"
#include "server/guarded.h"

namespace expunge::server {

// How a reply reaches the client.
enum class Channel : uint8_t {
  kWhole,
  kStream,
  kChoices,  // the last of three
  kCall,     // in the arguments of a tool's call
  kStreamedCall,
  kText,  // of /v1/completions
  kStreamedText,
};
inline constexpr Channel kChannels[] = {
    Channel::kWhole,        Channel::kStream, Channel::kChoices,     Channel::kCall,
    Channel::kStreamedCall, Channel::kText,   Channel::kStreamedText};
std::string_view name(Channel channel);

class ScriptedModel {
 public:
  explicit ScriptedModel(uint64_t seed) : dice_(seed) {}
  // What it answers from now on, whatever it is asked.
  void say(std::string text, Channel channel);
  void handle(const HttpRequest& request, Exchange& exchange);
  size_t n_calls() const { return n_calls_; }

 private:
  std::string stream(bool is_chat, const std::string& text, bool is_call);
  std::mutex mutex_;
  Dice dice_;
  std::string text_ = "Yes.";
  Channel channel_ = Channel::kWhole;
  std::atomic<size_t> n_calls_ = 0;
};

struct Heard {
  int status = 0;
  std::string text;  // all that was said: of every choice, of calls also with escapes undone
  base::Json usage = {};
};
// Asks in a channel. Errors: kCancelled; kUnavailable: no answer within the job's time.
base::Result<Heard> hear(const Handler& handler, const base::Json& messages,
                         const base::Json& tools, Channel channel, const base::Job& job);
base::Result<Heard> hear(const Handler& handler, const base::Json& body, const base::Job& job);
base::Json user_says(const std::string& text);  // messages

// The guard's agents: they do what they are asked, and every word of a prompt is a token.
guard::Ask scripted_agents();
size_t count_words(std::string_view text);

// A guard over a list of its own.
class TriedGuard {
 public:
  // `agents`: null for the gate alone.
  static base::Result<std::unique_ptr<TriedGuard>> make(const std::string& folder,
                                                        const std::vector<guard::Target>& targets,
                                                        Handler model, guard::Ask agents);
  Handler handler() const;
  GuardMetrics& metrics() { return guarded_->metrics(); }
  double list_s() const { return list_s_; }  // in which the list was read

 private:
  TriedGuard() = default;
  double list_s_ = 0;
  std::unique_ptr<GuardList> list_;
  std::unique_ptr<Door> door_;
  std::unique_ptr<Guarded> guarded_;
};

}  // namespace expunge::server
