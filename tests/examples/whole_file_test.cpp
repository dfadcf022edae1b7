#include "tools/launch/whole_file.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "tools/launch/members.hpp"

namespace lockstep::launch {
namespace {

class WholeFile : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "whole_file_XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  [[nodiscard]] std::string path(const char* name) const { return (folder_ / name).string(); }
  [[nodiscard]] static std::string content(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  [[nodiscard]] std::ptrdiff_t files() const {
    return std::distance(std::filesystem::directory_iterator(folder_), {});
  }

  std::filesystem::path folder_;
};

TEST_F(WholeFile, WritesAndReplaces) {
  ASSERT_TRUE(write_whole(path("a"), "first"));
  EXPECT_EQ(content(path("a")), "first");
  ASSERT_TRUE(write_whole(path("a"), "second, longer"));
  EXPECT_EQ(content(path("a")), "second, longer");
  ASSERT_TRUE(write_whole(path("a"), ""));
  EXPECT_EQ(content(path("a")), "");
  EXPECT_EQ(files(), 1);
}

TEST_F(WholeFile, SaysThatTheDiskIsFull) {
  const auto written = write_whole("/dev/full", "text");
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, ErrorCode::system);
  EXPECT_EQ(written.error().message,
            "/dev/full: cannot write: No space left on device; free some space or name another "
            "file");
}

TEST_F(WholeFile, LeavesTheOldFileWhenItCannotFinish) {
  ASSERT_TRUE(write_whole(path("a"), "old"));
  // The limit on file sizes stands in for a full disk; a child, because it cannot be taken back.
  const auto ends = run_members(1, As::processes, 60'000'000'000, [&](std::uint32_t) {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{4'096, 4'096};
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0) return 2;
    const auto written = write_whole(path("a"), std::string(10'000, 'x'));
    if (written) return 3;
    return written.error().message.find("File too large; free some space") == std::string::npos ? 4
                                                                                                : 0;
  });
  ASSERT_TRUE(ends);
  EXPECT_TRUE((*ends)[0].good()) << (*ends)[0].words;
  EXPECT_EQ(content(path("a")), "old");
  EXPECT_EQ(files(), 1);
}

TEST_F(WholeFile, NamesAFolderThatIsNotThere) {
  const auto written = write_whole(path("no/such/folder"), "text");
  ASSERT_FALSE(written);
  EXPECT_NE(written.error().message.find("cannot create: No such file or directory"),
            std::string::npos)
      << written.error().message;
}

}  // namespace
}  // namespace lockstep::launch
