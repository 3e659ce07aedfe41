// One model, several threads: a chat, a request, a verification and an undo at once. Each sees one
// consistent state, and all that is seen and said is what one serial run gives.
#include <gmock/gmock.h>
#include <stdlib.h>

#include <algorithm>
#include <thread>

#include "plain_agents.h"
#include "planted_wordings.h"
#include "service/json.h"

namespace expunge::service {
namespace {

using Replies = std::vector<std::string>;

class Concurrency : public ::testing::Test {
 protected:
  void SetUp() override { ::setenv("EXPUNGE_CACHE", (folder_ / "cache").c_str(), 1); }

  std::unique_ptr<Session> open(const std::string& journal) const {
    SessionOptions options;
    options.journal = folder_ / journal;
    options.wordings = &tests::planted_wordings();
    options.agents = std::make_shared<Agents>(
        std::make_shared<tests::ScriptedModel>(tests::ScriptedModel::Replies()),
        std::make_shared<tests::PlantedSurgeon>());
    return Session::open(tests::planted_chat(), options).value();
  }
  static agent::Plan plan(int32_t relation, int32_t subject) {
    return tests::planted_plan(relation, subject);
  }
  static repair::ForgetOptions keeping() {
    repair::ForgetOptions options;
    options.decide = [](const verify::Report&) { return repair::Decision::kKeepPartial; };
    return options;
  }
  static Replies replies(const model::Model& model) {
    Replies all;
    for (int32_t s = 0; s < tests::kSubjects; ++s)
      for (std::string& reply : tests::planted_replies(model, 0, s))
        all.push_back(std::move(reply));
    return all;
  }
  static std::string figures(const std::vector<repair::Verified>& verified) {
    std::string text;
    for (const repair::Verified& v : verified)
      text += fmt::format("{}: {}\n", v.entry,
                          base::dump_json(verify::to_json(v.now, verify::Detail::kItems)));
    return text;
  }
  // A model with two facts already forgotten.
  std::unique_ptr<Session> begun(const std::string& journal) const {
    auto s = open(journal);
    EXPECT_TRUE(s->forget(plan(0, 1), keeping()));
    EXPECT_TRUE(s->forget(plan(0, 2), keeping()));
    return s;
  }
  // What one moment of a run shows, and what a whole run: its states in order, and what its request
  // and its undo said.
  struct State {
    std::string hash, verified;
    Replies replies;
  };
  struct Run {
    std::vector<State> states;
    std::string said;
    const State* find(const std::string& hash) const {
      const auto found = std::ranges::find(states, hash, &State::hash);
      return found == states.end() ? nullptr : &*found;
    }
  };
  // All but the times.
  static std::string said(const repair::Outcome& forgotten, const Undone& undone) {
    base::Json request = to_json(forgotten, verify::Detail::kItems), undo = to_json(undone);
    request.erase("seconds"), undo.erase("seconds");
    return base::dump_json({{"request", request}, {"undo", undo}});
  }
  enum class First { kUndo, kRequest };
  Run serial(First first) const {
    Run run;
    const auto s = begun(first == First::kUndo ? "undo-first.db" : "request-first.db");
    const auto look = [&] {
      const model::Model model = s->present().model;
      run.states.push_back({model.weights_hash(), figures(s->verify(0).value()), replies(model)});
    };
    Undone undone;
    const auto undo = [&] { undone = s->undo(1).value(), look(); };
    look();
    if (first == First::kUndo) undo();
    const repair::Outcome forgotten = s->forget(plan(1, 5), keeping()).value();
    look();
    if (first == First::kRequest) undo();
    run.said = said(forgotten, undone);
    return run;
  }
  tests::TempDir folder_;
};

TEST_F(Concurrency, EachSeesOneConsistentState) {
  const std::vector<Run> serials = {serial(First::kUndo), serial(First::kRequest)};
  ASSERT_NE(serials[0].said, serials[1].said);
  const auto s = begun("at-once.db");
  const auto before = s->snapshot();
  const auto hash_now = [&] { return s->present().model.weights_hash(); };
  const std::string hash_before = hash_now();

  struct Verification {
    std::string hash_before, figures, hash_after;
  };
  std::vector<std::pair<std::string, Replies>> generated;
  std::vector<Verification> verified;
  base::Result<repair::Outcome> forgotten = base::fail(base::Code::kInternal, "not run");
  base::Result<Undone> undone = base::fail(base::Code::kInternal, "not run");
  std::atomic<int> changing = 2;
  std::thread chat([&] {
    do {
      const auto now = s->snapshot();
      generated.emplace_back(now->present.model.weights_hash(), replies(now->present.model));
    } while (changing > 0);
  });
  std::thread request([&] {
    forgotten = s->forget(plan(1, 5), keeping());
    --changing;
  });
  std::thread check([&] {
    do {
      Verification v{.hash_before = hash_now(), .figures = {}, .hash_after = {}};
      v.figures = figures(s->verify(0).value());
      v.hash_after = hash_now();
      verified.push_back(std::move(v));
    } while (changing > 0);
  });
  std::thread undo([&] {
    undone = s->undo(1);
    --changing;
  });
  for (std::thread* t : {&chat, &request, &check, &undo}) t->join();

  ASSERT_TRUE(forgotten) << forgotten.error().message;
  ASSERT_TRUE(undone) << undone.error().message;
  // Both said what they say in one of the two orders: all else is compared with that one.
  const std::string both = said(*forgotten, *undone);
  const auto same = std::ranges::find(serials, both, &Run::said);
  ASSERT_NE(same, serials.end()) << both;
  EXPECT_EQ(hash_now(), same->states.back().hash);
  for (const auto& [hash, all] : generated) {
    const State* state = same->find(hash);
    ASSERT_TRUE(state) << hash;
    EXPECT_EQ(all, state->replies);
  }
  for (const Verification& v : verified) {  // of a state between those seen before and after
    const State *first = same->find(v.hash_before), *last = same->find(v.hash_after);
    ASSERT_TRUE(first && last && first <= last);
    EXPECT_TRUE(std::any_of(first, last + 1, [&](const State& state) {
      return state.verified == v.figures;
    })) << v.figures;
  }
  // The earlier snapshot is unchanged.
  EXPECT_EQ(before->present.model.weights_hash(), hash_before);
  EXPECT_TRUE(s->replay());
}

// Two requests in two threads: one after the other, none is lost.
TEST_F(Concurrency, TwoRequestsAtOnceAreBothCommitted) {
  const auto s = open("two.db");
  base::Result<repair::Outcome> one = base::fail(base::Code::kInternal, "not run"), two = one;
  std::thread first([&] { one = s->forget(plan(0, 1), keeping()); });
  std::thread second([&] { two = s->forget(plan(0, 2), keeping()); });
  first.join();
  second.join();
  ASSERT_TRUE(one) << one.error().message;
  ASSERT_TRUE(two) << two.error().message;
  EXPECT_EQ(one->entry + two->entry, 3);
  EXPECT_EQ(s->snapshot()->edits.size(), 2);
  EXPECT_TRUE(s->undo(0));
  EXPECT_TRUE(s->undo(0).value().is_base);
}

}  // namespace
}  // namespace expunge::service
