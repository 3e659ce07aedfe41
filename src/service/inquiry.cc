#include "service/inquiry.h"

#include <algorithm>

#include "base/utf8.h"
#include "repair/problem.h"
#include "verify/refusal.h"
#include "verify/reveals.h"

namespace expunge::service {

using base::Code;
using base::fail;
using base::Result;

namespace {

constexpr size_t kTopicQuestions = 5;  // about a topic, besides the request's own

Result<std::vector<std::string>> ask(const model::ChatModel& model,
                                     const std::vector<std::string>& prompts,
                                     const base::Job& job) {
  std::vector<verify::Question> questions;
  for (const std::string& prompt : prompts) questions.push_back({prompt, "", {}});
  return repair::ask(model, questions, verify::kReplyTokens, job);
}

}  // namespace

Result<Inquiry> inquire(const model::ChatModel& model, const agent::Surgeon& surgeon,
                        agent::Request request, const base::Job& job) {
  agent::Material m = TRY(surgeon.write(request.prompt, request.response, job));
  std::vector<std::string> asked = m.wordings;
  asked.insert(asked.end(), m.typed.begin(), m.typed.end());
  const size_t n_wordings = asked.size();
  const bool open = request.response.empty() && request.answers.empty();
  if (open) asked.push_back(request.prompt);
  const auto replies = TRY(ask(model, asked, job));
  if (open) {
    request.response = TRY(surgeon.answer_in(request.prompt, replies.back(), job));
    if (request.response.empty())
      return fail(Code::kInvalid, fmt::format("the model gives no answer to '{}'", request.prompt),
                  "say which answer is to be forgotten (--answer)");
  }
  const std::vector<std::string> answers =
      request.answers.empty() ? std::vector{request.response} : request.answers;
  agent::Material known = m;
  known.wordings.clear();
  known.typed.clear();
  // A wording that contains the answer asks something else, unless the question has it too.
  const auto asks_it = [&](const std::string& wording) {
    return verify::reveals(request.prompt, answers) || !verify::reveals(wording, answers);
  };
  for (size_t i = 0; i < n_wordings; ++i)
    if (verify::reveals(replies[i], answers) && asks_it(asked[i]))
      (i < m.wordings.size() ? known.wordings : known.typed).push_back(asked[i]);
  if (open && !m.wordings.empty() && known.wordings.empty())
    return fail(
        Code::kRefused,
        fmt::format("nothing to forget: to '{}' the model answers '{}', and to the same in "
                    "other words '{}'",
                    request.prompt, base::one_line(replies.back()), base::one_line(replies[0])),
        "it does not know; say which answer is to be forgotten (--answer) to go on");
  return Inquiry{std::move(request), known.wordings.empty() ? std::move(m) : std::move(known)};
}

Result<std::vector<agent::Request>> of_topic(const model::ChatModel& model,
                                             const agent::Surgeon& surgeon,
                                             const agent::Request& topic, const base::Job& job) {
  std::vector<std::string> asked = TRY(surgeon.write(topic.prompt, "", job)).same_subject;
  asked.resize(std::min(asked.size(), kTopicQuestions));
  asked.insert(asked.begin(), topic.prompt);
  const auto replies = TRY(ask(model, asked, job));
  std::vector<agent::Request> requests;
  for (size_t i = 0; i < asked.size(); ++i) {
    if (verify::is_refusal(replies[i])) continue;
    std::string answer = TRY(surgeon.answer_in(asked[i], replies[i], job));
    if (answer.empty() || !repair::tells_apart(answer)) continue;
    requests.push_back({.prompt = asked[i], .response = std::move(answer), .topic = true});
  }
  if (requests.empty())
    return fail(Code::kRefused,
                fmt::format("nothing to forget: the model says nothing to '{}'", topic.prompt),
                "expunge generate shows what it says");
  return requests;
}

}  // namespace expunge::service
