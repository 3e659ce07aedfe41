// What the service's tests share: a tiny model on disk that accepts any text, with a journal
// and its own cache.
#pragma once

#include <gmock/gmock.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "model/role.h"
#include "plain_agents.h"
#include "service/access.h"
#include "tiny_gguf.h"

namespace expunge::service {

class ServiceTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    tensor::start(1);
    std::string name = (std::filesystem::temp_directory_path() / "expunge-service-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
    ::setenv("EXPUNGE_CACHE", name.c_str(), 1);
    std::ofstream(model(), std::ios::binary)
        << tests::gguf_image(tests::byte_config(), tensor::DType::kF32, tests::add_bytes);
  }
  static void TearDownTestSuite() { std::filesystem::remove_all(folder_); }
  void SetUp() override { std::filesystem::remove(journal()); }

  static std::string model() { return (folder_ / "tiny.gguf").string(); }
  static std::string journal() { return (folder_ / "journal.db").string(); }
  static Place place() { return {model(), journal()}; }
  static std::unique_ptr<Session> open(journal::Mode mode = journal::Mode::kReadWrite) {
    SessionOptions options{.model = model(), .journal = journal(), .mode = mode};
    options.agents = std::make_shared<Agents>(
        std::make_shared<tests::ScriptedModel>(tests::ScriptedModel::Replies{
            {"capital of France is Paris", "forget\nQ What is the capital of France?\nA Paris"},
            {"have you forgotten", "status"},
            {"forget everything", "forget\nT What do you know?\nA -"}}),
        std::make_shared<tests::PlainSurgeon>());
    auto session = Session::open(options);
    if (!session) throw std::runtime_error(session.error().message);
    return std::move(*session);
  }

  // An edit that was made elsewhere, recorded with the plan of a question -> its entry.
  static int64_t add_entry(Session& session, const std::string& question,
                           const std::string& answer) {
    const agent::Plan plan =
        session.plan({{question, answer, "", {}, {}, {}}}, agent::Intent::kForget).value();
    journal::Draft draft;
    draft.plan = agent::to_json(plan);
    draft.method = "redirect";
    draft.verdict = "passed";
    draft.report = {
        {"after",
         {{"gates",
           {{{"name", "exact"}, {"sense", "at_least"}, {"value", 1.0}, {"bound", 1.0}}}}}}};
    edit::Edit edit;
    const std::string name = tests::layer_weight(1, "mlp.down_proj");
    edit.deltas.push_back(
        {name, edit::Dense{at::full_like(session.present().model.param(name).value(), 0.01)}});
    return session.add(std::move(edit), std::move(draft)).value();
  }

  static inline std::filesystem::path folder_;
};

}  // namespace expunge::service
