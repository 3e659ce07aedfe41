#include "service/keys.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <fstream>
#include <sstream>
#include <thread>

#include "golden.h"

namespace expunge::service {
namespace {

class KeysTest : public testing::Test {
 protected:
  std::string path() const { return folder_ / "keys.json"; }
  std::string text() const {
    std::ostringstream out;
    out << std::ifstream(path()).rdbuf();
    return out.str();
  }
  tests::TempDir folder_;
};

TEST_F(KeysTest, AKeyOpensItsScopeUntilItIsRevoked) {
  Keys keys = Keys::open(path()).value();
  EXPECT_TRUE(keys.empty());
  EXPECT_FALSE(keys.scope_of(""));
  const auto chat = keys.create(Scope::kChat, "phone").value();
  const auto admin = keys.create(Scope::kAdmin, "").value();
  EXPECT_NE(chat.secret, admin.secret);
  EXPECT_EQ(keys.scope_of(chat.secret), Scope::kChat);
  EXPECT_EQ(keys.scope_of(admin.secret), Scope::kAdmin);
  EXPECT_FALSE(keys.scope_of(chat.secret + "x"));
  EXPECT_FALSE(keys.scope_of(chat.key.sha256));
  EXPECT_EQ(keys.revoke(chat.key.id).value().note, "phone");
  EXPECT_FALSE(keys.scope_of(chat.secret));
  EXPECT_EQ(keys.revoke(chat.key.id).error().code, base::Code::kNotFound);
}

TEST_F(KeysTest, TheFileHasHashesAndOnlyItsOwnerReadsIt) {
  Keys keys = Keys::open(path()).value();
  const auto made = keys.create(Scope::kForget, "").value();
  EXPECT_EQ(text().find(made.secret), std::string::npos);
  EXPECT_NE(text().find(made.key.sha256), std::string::npos);
  struct stat s = {};
  ASSERT_EQ(::stat(path().c_str(), &s), 0);
  EXPECT_EQ(s.st_mode & 0777, 0600U);
}

TEST_F(KeysTest, AnotherProcesssChangeIsSeen) {
  Keys server = Keys::open(path()).value(), command = Keys::open(path()).value();
  const auto made = command.create(Scope::kChat, "").value();
  EXPECT_FALSE(server.scope_of(made.secret));
  ASSERT_TRUE(server.refresh());
  EXPECT_TRUE(server.scope_of(made.secret));
  ASSERT_TRUE(Keys::open(path()).value().revoke(made.key.id));
  ASSERT_TRUE(server.refresh());
  EXPECT_FALSE(server.scope_of(made.secret));
}

TEST_F(KeysTest, ManyAtOnceAreAllKept) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i)
    threads.emplace_back([&] { ASSERT_TRUE(Keys::open(path()).value().create(Scope::kChat, "")); });
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(Keys::open(path()).value().all().size(), 8u);
}

TEST_F(KeysTest, ABrokenFileIsAnErrorAndNotNoKeys) {
  Keys keys = Keys::open(path()).value();
  const auto made = keys.create(Scope::kChat, "").value();
  for (const char* bad :
       {"", "{", "[]", R"({"keys": [1]})", R"({"keys": [{"id": "a"}]})",
        R"({"keys": [{"id":"a","note":"","created":"","sha256":"ab","scope":"chat"}]})"}) {
    std::ofstream(path()) << bad;
    EXPECT_FALSE(Keys::open(path())) << bad;
    EXPECT_FALSE(keys.refresh()) << bad;
  }
}

}  // namespace
}  // namespace expunge::service
