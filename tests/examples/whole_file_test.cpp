#include "tools/launch/whole_file.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace lockstep::launch {
namespace {

namespace fs = std::filesystem;

class WholeFile : public testing::Test {
 protected:
  WholeFile() {
    std::string name = testing::TempDir() + "lockstep-XXXXXX";
    folder_ = mkdtemp(name.data());
  }
  ~WholeFile() override { fs::remove_all(folder_); }

  [[nodiscard]] std::string path(const char* name) const { return folder_ / name; }
  [[nodiscard]] std::size_t files() const {
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(folder_), fs::directory_iterator()));
  }
  static std::string read(const std::string& path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
  }

  fs::path folder_;
};

TEST_F(WholeFile, WritesANewFileAndReplacesAnOldOne) {
  ASSERT_TRUE(write_whole(path("a.json"), "first, and longer"));
  EXPECT_EQ(read(path("a.json")), "first, and longer");
  ASSERT_TRUE(write_whole(path("a.json"), "second"));
  EXPECT_EQ(read(path("a.json")), "second");
  EXPECT_EQ(files(), 1U);
}

TEST_F(WholeFile, NamesThePathThatCannotBeWritten) {
  const std::string nowhere = path("no-such-folder/a.json");
  const auto written = write_whole(nowhere, "text");
  ASSERT_FALSE(written.has_value());
  EXPECT_EQ(written.error().code, ErrorCode::system);
  EXPECT_NE(written.error().message.find(nowhere), std::string::npos);
  EXPECT_NE(written.error().message.find("No such file"), std::string::npos);
}

TEST_F(WholeFile, AFolderInItsPlaceIsAnErrorAndNothingIsLeft) {
  fs::create_directory(path("a.json"));
  EXPECT_FALSE(write_whole(path("a.json"), "text").has_value());
  EXPECT_EQ(files(), 1U);
}

// /dev/full fails every write with ENOSPC. It is a device and must survive the attempt.
TEST_F(WholeFile, AFullDiskIsAnErrorThatSaysSo) {
  const auto written = write_whole("/dev/full", "text");
  ASSERT_FALSE(written.has_value());
  EXPECT_NE(written.error().message.find("No space left"), std::string::npos);
  EXPECT_NE(written.error().message.find("/dev/full"), std::string::npos);
  EXPECT_TRUE(fs::is_character_file("/dev/full"));
}

/// The largest file this process may write, for a while; what is beyond fails with EFBIG.
class FileLimit {
 public:
  explicit FileLimit(rlim_t bytes) : handler_(signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileLimit() {
    setrlimit(RLIMIT_FSIZE, &before_);
    signal(SIGXFSZ, handler_);
  }
  FileLimit(const FileLimit&) = delete;
  FileLimit& operator=(const FileLimit&) = delete;

 private:
  sighandler_t handler_;
  rlimit before_{};
};

TEST_F(WholeFile, AWriteCutShortKeepsTheOldFileAndLeavesNothing) {
  ASSERT_TRUE(write_whole(path("a.json"), "old"));
  {
    const FileLimit limit(1'000);
    const auto written = write_whole(path("a.json"), std::string(5'000, 'x'));
    ASSERT_FALSE(written.has_value());
    EXPECT_NE(written.error().message.find("File too large"), std::string::npos);
  }
  EXPECT_EQ(read(path("a.json")), "old");
  EXPECT_EQ(files(), 1U);
}

TEST_F(WholeFile, APipeIsWrittenToAndNotReplaced) {
  const std::string pipe = path("pipe");
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  // A writer of a fifo waits for a reader: keep one open for reading and writing.
  std::fstream both(pipe, std::ios::in | std::ios::out);
  ASSERT_TRUE(write_whole(pipe, "text\n"));
  std::string line;
  std::getline(both, line);
  EXPECT_EQ(line, "text");
  EXPECT_TRUE(fs::is_fifo(pipe));
}

}  // namespace
}  // namespace lockstep::launch
