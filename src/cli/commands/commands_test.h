// The commands in this process, on a tiny model that knows nothing: the output of each, with its
// exit status.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "base/files.h"
#include "cli/pipeline.h"
#include "service/service_test.h"

namespace expunge::cli {

inline constexpr int kUsage = 2, kInvalid = 3, kNotFound = 5, kConflict = 7, kRefused = 8;

struct Done {
  int status = 0;
  std::string out, err;
  base::Json json() const { return base::parse_json(out, "stdout").value(); }
};

// Where the default model is, which watchdog and surgeon are an adapter of; found before a test
// sets a cache of its own.
inline const auto kDefaultModel = model::find_model("");

class Commands : public service::ServiceTest {
 protected:
  static void SetUpTestSuite() {
    ServiceTest::SetUpTestSuite();
    ASSERT_TRUE(kDefaultModel) << kDefaultModel.error().message;
    const std::filesystem::path known(*kDefaultModel), models = folder_ / "models";
    std::filesystem::create_directories(models);
    for (const char* ending : {"", ".ok"})
      std::filesystem::create_symlink(known.string() + ending,
                                      models / (known.filename().string() + ending));
  }
  // `expunge WORDS -m MODEL --journal JOURNAL`, with `input` on stdin.
  Done run_it(std::vector<std::string> words, const std::string& input = "") {
    words.insert(words.end(), {"-m", model()});
    if (with_journal_) words.insert(words.end(), {"--journal", journal()});
    return run_words(std::move(words), input);
  }
  Done run_words(std::vector<std::string> words, const std::string& input = "") {
    words.insert(words.begin(), "expunge");
    std::vector<char*> argv;
    for (std::string& w : words) argv.push_back(w.data());
    const std::string file = (folder_ / "stdin").string();
    std::ofstream(file) << input;
    const int kept = ::dup(STDIN_FILENO);
    const int given = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
    ::dup2(given, STDIN_FILENO);
    ::close(given);
    ::testing::internal::CaptureStdout();
    ::testing::internal::CaptureStderr();
    Done done;
    done.status = run(static_cast<int>(argv.size()), argv.data());
    done.out = ::testing::internal::GetCapturedStdout();
    done.err = ::testing::internal::GetCapturedStderr();
    ::dup2(kept, STDIN_FILENO);
    ::close(kept);
    return done;
  }
  // The words alone are wrong use, and the error says so. `message` names the option.
  void expect_refused(const std::vector<std::string>& words, const std::string& message) {
    const Done done = run_words(words);
    EXPECT_EQ(done.status, kUsage) << done.out << done.err;
    EXPECT_THAT(done.err, ::testing::HasSubstr(message));
    EXPECT_THAT(done.err, ::testing::HasSubstr("hint: "));
  }
  base::Json json(std::vector<std::string> words, int status = 0, const std::string& input = "") {
    words.emplace_back("--json");
    const Done done = run_it(std::move(words), input);
    EXPECT_EQ(done.status, status) << done.out << done.err;
    EXPECT_EQ(std::ranges::count(done.out, '\n'), 1) << done.out;
    return done.json();
  }
  std::string file(const std::string& name, const std::string& text) {
    const std::string path = (folder_ / name).string();
    std::ofstream(path) << text;
    return path;
  }
  void with_entry() { add_entry(*open(), "Who wrote Emma?", "Jane Austen"); }

  bool with_journal_ = true;
};

}  // namespace expunge::cli
