#include "guard/auditor.h"

#include <algorithm>

#include "base/random.h"
#include "guard/agents.h"

namespace expunge::guard {
namespace {

using base::Code;
using base::fail;
using base::Result;

constexpr size_t kCodeCharacters = 16;

// One draft on its way. Errors of its steps become a decline; their messages are constant, so that
// an operator's log has no names.
class Auditor {
 public:
  Auditor(const Ask& ask, const Scanner& scanner, const AuditOptions& options, const base::Job& job)
      : ask_(ask), scanner_(scanner), options_(options), job_(job) {}

  Result<Audit> run(std::span<const size_t> touched, const std::string& query,
                    const std::string& draft) {
    CHECK(!touched.empty() && options_.variants > 0);
    std::vector<size_t> indices(touched.begin(), touched.end());
    std::ranges::sort(indices);
    indices.erase(std::ranges::unique(indices).begin(), indices.end());
    for (const size_t i : indices) material_.targets.push_back(&scanner_.targets().at(i));
    material_.query = query;
    material_.draft = draft;
    material_.code = base::random_text(kCodeCharacters);
    Result<std::string> cleaned = clean();
    if (job_.cancelled()) return fail(Code::kCancelled, "cancelled");
    if (cleaned)
      audit_.text = *std::move(cleaned);
    else
      audit_.why = std::move(cleaned.error().message);
    return std::move(audit_);
  }

 private:
  static tl::unexpected<base::Error> decline(std::string_view why) {
    return fail(Code::kRefused, std::string(why));
  }

  Result<std::string> say(std::string_view agent, const Prompt& prompt) {
    if (!job_.check()) return decline("the time was over");
    ++audit_.calls;
    Result<Said> said = ask_(prompt, job_);
    if (!said && said.error().code == Code::kCancelled) return decline("the time was over");
    if (!said)
      return decline(fmt::format("the {} failed: {}", agent, code_info(said.error().code).name));
    audit_.prompt_tokens += said->prompt_tokens;
    audit_.reply_tokens += said->reply_tokens;
    return std::move(said->text);
  }

  Result<std::vector<std::string>> texts(std::string_view agent, const Prompt& prompt,
                                         size_t count) {
    auto texts = read_texts(TRY(say(agent, prompt)), count);
    if (!texts) return decline(fmt::format("the {}: {}", agent, texts.error().message));
    return texts;
  }

  // No name in it, nor what was shown to the agents and to nobody else.
  bool is_clean(const std::string& text) const {
    const auto copies = [&](const Target* target) {
      return target->scope.find(' ') != std::string::npos &&
             text.find(target->scope) != std::string::npos &&
             material_.draft.find(target->scope) == std::string::npos;
    };
    return !text.empty() && text.find(material_.code) == std::string::npos &&
           std::ranges::none_of(material_.targets, copies) && !scanner_.touches(text);
  }

  // Those that the critic finds good enough.
  Result<std::vector<std::string>> judged(const std::vector<std::string>& variants) {
    const auto scores =
        read_scores(TRY(say("critic", critic_prompt(material_, variants))), variants.size());
    if (!scores) return decline("the critic: " + scores.error().message);
    std::vector<std::string> good;
    for (size_t i = 0; i < variants.size(); ++i)
      if ((*scores)[i].privacy >= options_.privacy &&
          (*scores)[i].usefulness >= options_.usefulness)
        good.push_back(variants[i]);
    return good;
  }

  Result<std::string> clean() {
    auto variants =
        TRY(texts("eraser", erase_prompt(material_, options_.variants), options_.variants));
    std::erase_if(variants, [&](const std::string& text) { return !is_clean(text); });
    if (variants.empty()) return decline("no variant was clean");
    const auto kept = TRY(judged(variants));
    if (kept.empty()) return decline("no variant was good enough");
    std::vector<std::string> last = {kept[0]};
    if (kept.size() > 1) last = TRY(texts("composer", composer_prompt(material_, kept), 1));
    if (!is_clean(last[0])) return decline("the merged answer was not clean");
    if (TRY(judged(last)).empty()) return decline("the last answer was not good enough");
    return std::move(last[0]);
  }

  const Ask& ask_;
  const Scanner& scanner_;
  const AuditOptions& options_;
  const base::Job& job_;
  Material material_;
  Audit audit_;
};

}  // namespace

Result<Audit> audit(const Ask& ask, const Scanner& scanner, std::span<const size_t> touched,
                    const std::string& query, const std::string& draft, const AuditOptions& options,
                    const base::Job& job) {
  return Auditor(ask, scanner, options, job).run(touched, query, draft);
}

}  // namespace expunge::guard
