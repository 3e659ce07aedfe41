#include "base/files.h"

#include <gmock/gmock.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>

namespace expunge::base {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class FilesTest : public ::testing::Test {
 protected:
  FilesTest() {
    std::string pattern = (fs::temp_directory_path() / "expunge-files.XXXXXX").string();
    dir_ = ::mkdtemp(pattern.data());
  }
  ~FilesTest() override { fs::remove_all(dir_); }
  std::string path(const std::string& name) const { return dir_ + "/" + name; }
  size_t n_files() const {
    return static_cast<size_t>(std::distance(fs::directory_iterator(dir_), {}));
  }
  std::string dir_;
};

TEST_F(FilesTest, WritesAndReadsBackAnyBytes) {
  std::string bytes(200'000, '\0');
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 31);
  for (const std::string& content : {bytes, std::string(), std::string("\0a\n", 3)}) {
    ASSERT_TRUE(write_file_atomic(path("f"), content));
    EXPECT_EQ(read_file(path("f")).value(), content);
  }
  EXPECT_EQ(n_files(), 1U);  // no temporary file stays
  struct stat info {};
  ASSERT_EQ(::stat(path("f").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0644U);
}

// A process is killed at many moments while it writes large files over each other: the reader
// always finds one of the two whole.
TEST_F(FilesTest, KilledWriterLeavesOldOrNewBytes) {
  const std::string a(1 << 20, 'a'), b(1 << 20, 'b');
  ASSERT_TRUE(write_file_atomic(path("f"), a));
  for (int i = 0; i < 12; ++i) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0)
      for (;;) {
        if (!write_file_atomic(path("f"), b) || !write_file_atomic(path("f"), a)) ::_exit(1);
      }
    ::usleep(static_cast<useconds_t>(1000 + 1700 * i));
    ::kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status));
    const std::string now = read_file(path("f")).value();
    EXPECT_TRUE(now == a || now == b) << "after kill " << i << ": " << now.size() << " bytes";
  }
}

// RLIMIT_FSIZE stands in for a full disk: the write fails half-way.
TEST_F(FilesTest, FailedWriteKeepsTheOldFileAndNoRest) {
  ASSERT_TRUE(write_file_atomic(path("f"), "old"));
  ::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit small{4096, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const Status written = write_file_atomic(path("f"), std::string(100'000, 'x'));
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, Code::kIo);
  EXPECT_THAT(written.error().message, HasSubstr(path("f")));
  EXPECT_EQ(read_file(path("f")).value(), "old");
  EXPECT_EQ(n_files(), 1U);
}

TEST_F(FilesTest, WriteIntoAMissingFolderSaysSo) {
  const auto missing = write_file_atomic(path("no/such/folder/f"), "x");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Code::kNotFound);
  EXPECT_EQ(missing.error().hint, "check the path");
}

TEST_F(FilesTest, ReadErrorsNameThePath) {
  const auto missing = read_file(path("none"));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Code::kNotFound);
  EXPECT_THAT(missing.error().message, HasSubstr(path("none")));
  const auto folder = read_file(dir_);
  ASSERT_FALSE(folder);
  EXPECT_EQ(folder.error().code, Code::kIo);
  EXPECT_EQ(folder.error().hint, "a file is expected here, not a folder");
}

TEST_F(FilesTest, MakeDirsIsIdempotentAndRefusesAFile) {
  EXPECT_TRUE(make_dirs(path("a/b/c")));
  EXPECT_TRUE(make_dirs(path("a/b/c")));
  EXPECT_TRUE(fs::is_directory(path("a/b/c")));
  ASSERT_TRUE(write_file_atomic(path("f"), "x"));
  EXPECT_FALSE(make_dirs(path("f/below")));
}

TEST_F(FilesTest, MapShowsTheWholeFileAndOutlivesItsName) {
  const std::string bytes(10'001, 'm');
  ASSERT_TRUE(write_file_atomic(path("f"), bytes));
  const auto map = MappedFile::open(path("f")).value();
  fs::remove(path("f"));
  EXPECT_EQ(map->path(), path("f"));
  ASSERT_EQ(map->bytes().size(), bytes.size());
  EXPECT_EQ(std::memcmp(map->bytes().data(), bytes.data(), bytes.size()), 0);
}

TEST_F(FilesTest, ANamelessMapKeepsItsBytesAndLeavesNothing) {
  const std::string bytes(10000, 'x');
  const auto map = MappedFile::nameless(dir_, bytes).value();
  EXPECT_TRUE(fs::is_empty(dir_));
  map->release();
  EXPECT_EQ(std::memcmp(map->bytes().data(), bytes.data(), map->bytes().size()), 0);
  EXPECT_EQ(map->bytes().size(), bytes.size());
  EXPECT_EQ(MappedFile::nameless(path("none"), bytes).error().code, Code::kNotFound);
}

TEST_F(FilesTest, MapRefusesEmptyMissingAndFolder) {
  ASSERT_TRUE(write_file_atomic(path("empty"), ""));
  EXPECT_EQ(MappedFile::open(path("empty")).error().code, Code::kCorrupt);
  EXPECT_EQ(MappedFile::open(path("none")).error().code, Code::kNotFound);
  EXPECT_EQ(MappedFile::open(dir_).error().code, Code::kIo);
}

class Environment {  // sets a variable and puts it back
 public:
  Environment(const char* name, const char* value) : name_(name) {
    if (const char* old = std::getenv(name)) old_ = old, had_ = true;
    value ? ::setenv(name, value, 1) : ::unsetenv(name);
  }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;
  ~Environment() { had_ ? ::setenv(name_, old_.c_str(), 1) : ::unsetenv(name_); }

 private:
  const char* name_;
  std::string old_;
  bool had_ = false;
};

TEST_F(FilesTest, CacheDirFollowsTheEnvironmentInOrder) {
  const Environment own("EXPUNGE_CACHE", nullptr), xdg("XDG_CACHE_HOME", nullptr),
      home("HOME", dir_.c_str());
  EXPECT_EQ(cache_dir().value(), path(".cache/expunge"));
  EXPECT_TRUE(fs::is_directory(path(".cache/expunge")));
  const Environment with_xdg("XDG_CACHE_HOME", path("xdg").c_str());
  EXPECT_EQ(cache_dir().value(), path("xdg/expunge"));
  const Environment with_own("EXPUNGE_CACHE", path("own").c_str());
  EXPECT_EQ(cache_dir().value(), path("own"));
}

TEST_F(FilesTest, AskingForTheDataDirMakesNone) {
  const Environment own("EXPUNGE_HOME", path("own").c_str());
  EXPECT_EQ(data_dir().value(), path("own"));
  EXPECT_FALSE(fs::exists(path("own")));
}

TEST_F(FilesTest, DataDirWithoutAnyHomeIsAUsageError) {
  const Environment own("EXPUNGE_HOME", nullptr), xdg("XDG_DATA_HOME", nullptr),
      home("HOME", nullptr);
  const auto dir = data_dir();
  ASSERT_FALSE(dir);
  EXPECT_EQ(dir.error().code, Code::kUsage);
  EXPECT_THAT(dir.error().hint, HasSubstr("EXPUNGE_HOME"));
}

}  // namespace
}  // namespace expunge::base
