// One model, several threads: a chat, a request, a verification and an undo at once. Each sees one
// consistent state, and every figure is one that a serial run gives.
#include <gmock/gmock.h>
#include <stdlib.h>

#include <thread>

#include "planted_wordings.h"
#include "service/session.h"

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
    return Session::open(tests::planted_chat(), options).value();
  }
  static agent::Plan plan(int32_t relation, int32_t subject) {
    return agent::make_plan(tests::planted_wordings(), {tests::planted_request(relation, subject)},
                            agent::Intent::kForget)
        .value();
  }
  static repair::ForgetOptions keeping() {
    repair::ForgetOptions options;
    options.decide = [](const verify::Report&) { return repair::Decision::kKeepPartial; };
    return options;
  }
  static void succeeds(const base::Result<repair::Outcome>& outcome) {
    EXPECT_TRUE(outcome) << outcome.error().message;
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
  // The states of a serial run: after each of two changes, in both orders.
  struct Serial {
    std::set<std::string> hashes, verified;
    std::set<Replies> replies;
    std::string last;
  };
  Serial serial() const {
    Serial seen;
    for (const bool undo_first : {true, false}) {
      const auto s = begun(undo_first ? "undo-first.db" : "forget-first.db");
      const auto look = [&] {
        seen.hashes.insert(s->present().model.weights_hash());
        seen.replies.insert(replies(s->present().model));
        seen.verified.insert(figures(s->verify(0).value()));
      };
      look();
      for (const bool undo : {undo_first, !undo_first}) {
        if (undo)
          EXPECT_TRUE(s->undo(1));
        else
          succeeds(s->forget(plan(1, 5), keeping()));
        look();
      }
    }
    return seen;
  }
  tests::TempDir folder_;
};

TEST_F(Concurrency, EachSeesOneConsistentState) {
  const Serial want = serial();
  const auto s = begun("at-once.db");
  const auto before = s->snapshot();
  const std::string hash_before = before->present.model.weights_hash();

  std::vector<std::pair<std::string, Replies>> generated;
  std::vector<std::string> verified;
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
      verified.push_back(figures(s->verify(0).value()));
    } while (changing > 0);
  });
  std::thread undo([&] {
    undone = s->undo(1);
    --changing;
  });
  for (std::thread* t : {&chat, &request, &check, &undo}) t->join();

  ASSERT_TRUE(forgotten) << forgotten.error().message;
  ASSERT_TRUE(undone) << undone.error().message;
  for (const auto& [hash, all] : generated) {
    EXPECT_TRUE(want.hashes.contains(hash));
    EXPECT_TRUE(want.replies.contains(all));
  }
  for (const std::string& v : verified) EXPECT_TRUE(want.verified.contains(v)) << v;
  EXPECT_TRUE(want.hashes.contains(s->present().model.weights_hash()));
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
