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
  static mode_t mode(const std::string& file) {
    struct stat info {};
    EXPECT_EQ(::stat(file.c_str(), &info), 0);
    return info.st_mode & 0777;
  }
  std::string dir_;
};

// RLIMIT_FSIZE stands in for a full disk: bytes beyond it cannot be written.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    ::signal(SIGXFSZ, SIG_IGN);
    EXPECT_EQ(::getrlimit(RLIMIT_FSIZE, &before_), 0);
    const rlimit small{bytes, before_.rlim_max};
    EXPECT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;
  ~FileSizeLimit() { EXPECT_EQ(::setrlimit(RLIMIT_FSIZE, &before_), 0); }

 private:
  rlimit before_{};
};

TEST_F(FilesTest, WritesAndReadsBackAnyBytes) {
  std::string bytes(200'000, '\0');
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 31);
  for (const std::string& content : {bytes, std::string(), std::string("\0a\n", 3)}) {
    ASSERT_TRUE(write_file_atomic(path("f"), content));
    EXPECT_EQ(read_file(path("f")).value(), content);
  }
  EXPECT_EQ(n_files(), 1U);  // no temporary file remains
}

TEST_F(FilesTest, SharedFilesFollowTheUmaskAndSecretOnesNever) {
  for (const mode_t mask : {0022U, 0000U, 0077U, 0777U}) {
    const mode_t before = ::umask(mask);
    for (int again = 0; again < 2; ++again) {  // new, then over an existing one
      EXPECT_TRUE(write_file_atomic(path("shared"), "x"));
      EXPECT_TRUE(write_file_atomic(path("secret"), "x", Access::kSecret));
    }
    ::umask(before);
    EXPECT_EQ(mode(path("shared")), 0666U & ~mask);
    EXPECT_EQ(mode(path("secret")), 0600U) << mask;
  }
}

// A process is killed at many moments while it writes large files over each other: the reader
// always finds one of the two, complete.
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

TEST_F(FilesTest, FailedWriteKeepsTheOldFileAndNoRest) {
  ASSERT_TRUE(write_file_atomic(path("f"), "old"));
  const Status written = [&] {
    const FileSizeLimit limit(4096);
    return write_file_atomic(path("f"), std::string(100'000, 'x'));
  }();
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, Code::kIo);
  EXPECT_THAT(written.error().message, HasSubstr(path("f")));
  EXPECT_THAT(written.error().hint, HasSubstr("ulimit"));
  EXPECT_EQ(read_file(path("f")).value(), "old");
  EXPECT_EQ(n_files(), 1U);
}

Status write(TwinFile& twin, std::string_view text) { return twin.write(std::span(&text, 1)); }

TEST_F(FilesTest, ATwinFileNeedsNoMoreSpaceThanWasReserved) {
  constexpr uint64_t kBytes = 1 << 20;
  const auto blocks = [](const std::string& file) {
    struct stat info {};
    EXPECT_EQ(::stat(file.c_str(), &info), 0) << file;
    return static_cast<uint64_t>(info.st_blocks) * 512;
  };
  const std::string next = path("f.next");
  {
    TwinFile twin = TwinFile::reserve(path("f"), kBytes).value();
    EXPECT_FALSE(fs::exists(path("f")));
    EXPECT_GE(blocks(next), kBytes);
    for (const char c : {'a', 'b', 'c'}) {
      ASSERT_TRUE(write(twin, std::string(kBytes, c)));
      EXPECT_EQ(read_file(path("f")).value(), std::string(kBytes, c));
      EXPECT_GE(blocks(next), kBytes);  // of the next write
    }
    // A shorter one, the last.
    ASSERT_TRUE(write(twin, "end"));
    EXPECT_EQ(read_file(path("f")).value(), "end");
  }
  // Another process continues with what is there.
  TwinFile twin = TwinFile::reserve(path("f"), kBytes).value();
  EXPECT_EQ(read_file(path("f")).value(), "end");
  ASSERT_TRUE(write(twin, std::string(kBytes, 'd')));
  EXPECT_EQ(read_file(path("f")).value(), std::string(kBytes, 'd'));
  TwinFile::remove(path("f"));
  EXPECT_EQ(n_files(), 0U);
}

TEST_F(FilesTest, AFailedWriteOfATwinFileKeepsTheLastGoodOne) {
  TwinFile twin = TwinFile::reserve(path("f"), 100'000).value();
  ASSERT_TRUE(write(twin, std::string(100'000, 'a')));
  const Status failed = [&] {
    const FileSizeLimit limit(4096);
    return write(twin, std::string(100'000, 'b'));
  }();
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, Code::kIo);
  EXPECT_EQ(read_file(path("f")).value(), std::string(100'000, 'a'));
  ASSERT_TRUE(write(twin, std::string(100'000, 'c')));  // room again
  EXPECT_EQ(read_file(path("f")).value(), std::string(100'000, 'c'));
}

// Killed at many moments while it writes: the file is one of the two, whole.
TEST_F(FilesTest, AKilledWriterLeavesATwinFileWhole) {
  const std::string a(1 << 20, 'a'), b(1 << 20, 'b');
  for (int i = 0; i < 8; ++i) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      auto twin = TwinFile::reserve(path("f"), a.size());
      while (twin && write(*twin, a) && write(*twin, b)) {
      }
      ::_exit(1);
    }
    while (!fs::exists(path("f"))) ::usleep(1000);
    ::usleep(static_cast<useconds_t>(1000 + 1700 * i));
    ::kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status));
    const std::string now = read_file(path("f")).value();
    EXPECT_TRUE(now == a || now == b) << "after kill " << i << ": " << now.size() << " bytes";
  }
}

TEST_F(FilesTest, SpaceThatIsNotThereIsRefusedWithBothFigures) {
  constexpr uint64_t kExabyte = 1'000'000'000'000'000'000;
  const auto twin = TwinFile::reserve(path("f"), kExabyte);
  const auto held = HeldSpace::hold(dir_, kExabyte);
  ASSERT_FALSE(twin);
  ASSERT_FALSE(held);
  for (const Error& e : {twin.error(), held.error()}) {
    EXPECT_EQ(e.code, Code::kIo);
    EXPECT_THAT(e.message, HasSubstr("000000.0 MB of disk space"));  // 1e12 or 2e12
    EXPECT_THAT(e.message, HasSubstr("MB are free"));
    EXPECT_THAT(e.hint, HasSubstr("another disk"));
  }
  EXPECT_EQ(n_files(), 0U);
  const FileSizeLimit limit(4096);
  EXPECT_THAT(HeldSpace::hold(dir_, 100'000).error().hint, HasSubstr("ulimit"));
  EXPECT_TRUE(HeldSpace::hold(dir_, 1000));
  EXPECT_EQ(HeldSpace::hold(path("none"), 1).error().code, Code::kNotFound);
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
