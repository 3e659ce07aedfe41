#include "cli/signals.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <csignal>
#include <filesystem>
#include <fstream>

namespace expunge::cli {
namespace {

namespace fs = std::filesystem;

// In separate processes: the handlers stay.
TEST(SignalsDeathTest, TheFirstCancelsTheJobAndTheSecondEndsTheProcess) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        const base::Job job;
        handle_signals(job);
        std::raise(SIGINT);
        if (!job.cancelled() || job.check().has_value()) std::exit(1);
        std::raise(SIGINT);
        std::exit(2);
      },
      ::testing::KilledBySignal(SIGINT), "");
}

TEST(SignalsDeathTest, ARearmedJobIsCancelledAgain) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        const base::Job job;
        handle_signals(job);
        for (int message = 0; message < 3; ++message) {
          std::raise(SIGTERM);
          if (!job.cancelled()) std::exit(1);
          rearm(job);
          if (job.cancelled()) std::exit(2);
        }
        std::exit(0);
      },
      ::testing::ExitedWithCode(0), "");
}

TEST(SignalsDeathTest, TheScratchFolderGoesWithTheProcess) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const fs::path folder = fs::temp_directory_path() / "expunge-signals-test";
  fs::remove_all(folder);
  fs::create_directory(folder);
  std::ofstream(folder / "journal.db") << "x";
  std::ofstream(folder / "journal.db-wal") << "x";
  EXPECT_EXIT(
      {
        handle_signals(base::Job());
        remove_on_signal(folder.string());
        std::raise(SIGINT);
        std::raise(SIGINT);
      },
      ::testing::KilledBySignal(SIGINT), "");
  EXPECT_FALSE(fs::exists(folder));
}

}  // namespace
}  // namespace expunge::cli
