// What tests of use cases that need facts share: the planted model as a file, with a journal, in
// the words of the planted library.
#pragma once

#include <gmock/gmock.h>
#include <stdlib.h>

#include "model/role.h"
#include "plain_agents.h"
#include "planted_wordings.h"
#include "service/session.h"

namespace expunge::service {

class PlantedTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    suite_folder_ = new tests::TempDir();
    ::setenv("EXPUNGE_CACHE", (*suite_folder_ / "cache").c_str(), 1);
    model::Arch arch = tests::tiny_arch();
    arch.context_length = 4096;  // of ordinary text its characters are read
    std::map<std::string, tests::Tensor> weights;
    const auto planted = tests::planted_model();
    for (const auto& [name, param] : planted->weights()) weights[name] = param->value();
    const auto add_vocab = [](tests::GgufBuilder& b, const model::Arch& c) {
      tests::add_alphabet(b, c);
      b.text("tokenizer.chat_template", "{% for m in messages %}{{ m['content'] }}{% endfor %}");
    };
    tests::write_bytes(model(), tests::gguf_image(arch, tensor::DType::kF32, weights, add_vocab));
  }
  static void TearDownTestSuite() { delete suite_folder_; }

  static std::string model() { return *suite_folder_ / "planted.gguf"; }
  std::string path(const std::string& name) const { return folder_ / name; }
  std::unique_ptr<Session> open(const std::string& journal = "journal.db") const {
    SessionOptions options;
    options.model = model();
    options.journal = path(journal);
    options.wordings = &tests::planted_wordings();
    options.agents = std::make_shared<Agents>(
        std::make_shared<tests::ScriptedModel>(tests::ScriptedModel::Replies()),
        std::make_shared<tests::PlantedSurgeon>());
    return Session::open(options).value();
  }

  static std::string question(int32_t relation, int32_t subject) {
    return tests::chars(tests::question(relation, subject));
  }
  static std::string answer(int32_t relation, int32_t subject) {
    return tests::chars({tests::answer(relation, subject)});
  }
  // With bounds in the place of the gates' own; the best edit is kept, whether it passes or not.
  static repair::Outcome forget(Session& session, int32_t relation, int32_t subject,
                                const verify::Bounds& bounds = {}) {
    agent::Plan plan =
        session.plan({tests::planted_request(relation, subject)}, agent::Intent::kForget).value();
    for (const auto& [gate, bound] : bounds) plan.gates[gate] = bound;
    repair::ForgetOptions keeping;
    keeping.decide = [](const verify::Report&) { return repair::Decision::kKeepPartial; };
    return session.forget(std::move(plan), keeping).value();
  }
  static void seal(Session& session, int64_t entry) {
    ASSERT_TRUE(session.with_journal([&](journal::Journal& j) { return j.seal(entry); }));
  }

  // An edit that a training on these sets made and recorded, with figures that it left.
  static int64_t add_trained(Session& session, edit::Edit edit, const base::Json& examples,
                             const base::Json& after) {
    journal::Draft draft;
    draft.method = "npo";
    draft.verdict = "trained";
    draft.request = {{"examples", examples}, {"system", ""}};
    draft.report = {{"after", after}};
    return session.add(std::move(edit), std::move(draft)).value();
  }
  // Adds a multiple of the file's head to the head: -1 leaves nothing of it.
  static edit::Edit grown(const Session& session, double by) {
    const model::Model base = session.snapshot()->base.model;
    const std::string head = model::weight_name(base.arch(), model::head_role(base.arch()));
    edit::Edit edit;
    edit.deltas.push_back({head, edit::Dense{base.param(head).value() * by}});
    return edit;
  }

 private:
  static inline tests::TempDir* suite_folder_ = nullptr;
  tests::TempDir folder_;
};

}  // namespace expunge::service
