// Every unit test's main: tests run in the source folder, from any folder. Its path
// is in this unit alone, so that ccache serves the tests of any clone.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

int main(int argc, char** argv) {
  ::testing::InitGoogleMock(&argc, argv);
  std::filesystem::current_path(EXPUNGE_SOURCE_DIR);
  return RUN_ALL_TESTS();
}
