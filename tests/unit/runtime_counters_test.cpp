#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "runtime/counters.hpp"
#include "runtime/counters_layout.hpp"
#include "tests/unit/runtime_child.hpp"
#include "tests/unit/runtime_folder.hpp"

namespace lockstep::runtime {
namespace {

using tests::ChildResult;
using tests::Folder;
using tests::in_child;

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST(Counters, CountInThisProcessWithoutAFile) {
  auto counters = Counters::open("");
  ASSERT_TRUE(counters) << counters.error().message;
  const Counter frames = (*counters)->make("frames");
  EXPECT_EQ(frames.value(), 0U);
  frames.add();
  frames.add(41);
  EXPECT_EQ(frames.value(), 42U);
  frames.set(7);
  EXPECT_EQ(frames.value(), 7U);
  EXPECT_TRUE((*counters)->notice().empty());
}

TEST(Counters, AreReadByOthersWhileTheyRun) {
  const Folder folder;
  const std::string path = folder.file("a.counters");
  auto counters = Counters::open(path);
  ASSERT_TRUE(counters) << counters.error().message;
  EXPECT_TRUE((*counters)->notice().empty());
  const Counter first = (*counters)->make("group.orders.frames_delivered");
  const Counter second = (*counters)->make("reactor.turns");
  first.add(3);
  second.set(~std::uint64_t{0});
  const auto readings = Counters::read(path);
  ASSERT_TRUE(readings) << readings.error().message;
  ASSERT_EQ(readings->size(), 2U);
  EXPECT_EQ((*readings)[0].name, "group.orders.frames_delivered");
  EXPECT_EQ((*readings)[0].value, 3U);
  EXPECT_EQ((*readings)[1].name, "reactor.turns");
  EXPECT_EQ((*readings)[1].value, ~std::uint64_t{0});
}

TEST(Counters, FileIsRemovedAtTheEnd) {
  const Folder folder;
  const std::string path = folder.file("a.counters");
  {
    auto counters = Counters::open(path);
    ASSERT_TRUE(counters) << counters.error().message;
    EXPECT_EQ(std::filesystem::file_size(path), sizeof(CountersLayout));
  }
  EXPECT_FALSE(std::filesystem::exists(path));
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(Counters, LongNamesAreCut) {
  const Folder folder;
  auto counters = Counters::open(folder.file("a.counters"));
  ASSERT_TRUE(counters) << counters.error().message;
  (*counters)->make(std::string(200, 'x')).set(1);
  (*counters)->make("y").set(2);
  const auto readings = Counters::read(folder.file("a.counters"));
  ASSERT_TRUE(readings) << readings.error().message;
  EXPECT_EQ((*readings)[0].name, std::string(63, 'x'));
  EXPECT_EQ((*readings)[1].name, "y");
}

TEST(Counters, BeyondCapacityTheyStillCount) {
  const Folder folder;
  auto counters = Counters::open(folder.file("a.counters"));
  ASSERT_TRUE(counters) << counters.error().message;
  for (std::uint64_t i = 0; i < kCountersCapacity; ++i) (*counters)->make(std::to_string(i)).set(i);
  const Counter unlisted = (*counters)->make("one too many");
  const Counter another = (*counters)->make("two too many");
  unlisted.add(5);
  another.add(6);
  EXPECT_EQ(unlisted.value(), 5U);
  EXPECT_EQ(another.value(), 6U);
  const auto readings = Counters::read(folder.file("a.counters"));
  ASSERT_TRUE(readings) << readings.error().message;
  ASSERT_EQ(readings->size(), kCountersCapacity);
  EXPECT_EQ(readings->back().value, kCountersCapacity - 1);
}

TEST(Counters, ALiveWriterIsNamed) {
  const Folder folder;
  const std::string path = folder.file("a.counters");
  auto counters = Counters::open(path);
  ASSERT_TRUE(counters) << counters.error().message;
  const auto second = Counters::open(path);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::identity_in_use);
  EXPECT_TRUE(contains(second.error().message, path)) << second.error().message;
  EXPECT_TRUE(contains(second.error().message, "process " + std::to_string(::getpid())))
      << second.error().message;
  EXPECT_TRUE(std::filesystem::exists(path));
}

TEST(Counters, AFileOfACrashedRunIsTakenOver) {
  const Folder folder;
  const std::string path = folder.file("a.counters");
  const ChildResult crashed = in_child([&] {
    auto counters = Counters::open(path);
    if (!counters) return ChildResult::failed;
    (*counters)->make("old").set(99);
    ::_exit(static_cast<int>(ChildResult::succeeded));
  });
  ASSERT_EQ(crashed, ChildResult::succeeded);
  ASSERT_TRUE(std::filesystem::exists(path));
  auto counters = Counters::open(path);
  ASSERT_TRUE(counters) << counters.error().message;
  EXPECT_TRUE(contains((*counters)->notice(), path)) << (*counters)->notice();
  EXPECT_TRUE(contains((*counters)->notice(), "taken over")) << (*counters)->notice();
  EXPECT_EQ((*counters)->make("new").value(), 0U);
  const auto readings = Counters::read(path);
  ASSERT_TRUE(readings) << readings.error().message;
  ASSERT_EQ(readings->size(), 1U);
  EXPECT_EQ((*readings)[0].name, "new");
}

TEST(Counters, SomebodyElsesFileIsLeftAlone) {
  const Folder folder;
  const std::string path = folder.file("letter.txt");
  std::ofstream(path) << "Dear reader,\n";
  const auto counters = Counters::open(path);
  ASSERT_FALSE(counters);
  EXPECT_EQ(counters.error().code, ErrorCode::configuration);
  EXPECT_TRUE(contains(counters.error().message, "holds something else"))
      << counters.error().message;
  std::string text;
  std::getline(std::ifstream(path) >> std::ws, text);
  EXPECT_EQ(text, "Dear reader,");
}

TEST(Counters, ReadingSomethingElseIsAMismatch) {
  const Folder folder;
  std::ofstream(folder.file("letter.txt")) << std::string(100'000, 'x');
  const auto letter = Counters::read(folder.file("letter.txt"));
  ASSERT_FALSE(letter);
  EXPECT_EQ(letter.error().code, ErrorCode::mismatch);
  const auto absent = Counters::read(folder.file("absent"));
  ASSERT_FALSE(absent);
  EXPECT_EQ(absent.error().code, ErrorCode::system);
  EXPECT_TRUE(contains(absent.error().message, "absent")) << absent.error().message;
}

TEST(Counters, ReadingATruncatedOrNewerFileIsAMismatch) {
  const Folder folder;
  CountersHeader header{};
  header.magic = kCountersMagic;
  header.version = kCountersVersion;
  header.capacity = kCountersCapacity;
  const auto write = [&] {
    std::ofstream out(folder.file("a.counters"), std::ios::binary);
    out.write(reinterpret_cast<const char*>(&header), sizeof header);
    out << std::string(1'000, '\0');
  };
  write();
  auto readings = Counters::read(folder.file("a.counters"));
  ASSERT_FALSE(readings);
  EXPECT_EQ(readings.error().code, ErrorCode::mismatch);
  header.version = 9;
  write();
  readings = Counters::read(folder.file("a.counters"));
  ASSERT_FALSE(readings);
  EXPECT_TRUE(contains(readings.error().message, "version 9")) << readings.error().message;
}

TEST(Counters, AFolderThatIsNotThereIsNamed) {
  const Folder folder;
  const auto counters = Counters::open(folder.file("nowhere/a.counters"));
  ASSERT_FALSE(counters);
  EXPECT_EQ(counters.error().code, ErrorCode::system);
  EXPECT_TRUE(contains(counters.error().message, "nowhere/a.counters"));
}

TEST(Counters, FileSizeLimitIsAnError) {
  const Folder folder;
  const ChildResult result = in_child([&] {
    const rlimit limit{4'096, 4'096};
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) return ChildResult::could_not_try;
    const auto counters = Counters::open(folder.file("a.counters"));
    const bool good = !counters && contains(counters.error().message, "RLIMIT_FSIZE");
    return good ? ChildResult::succeeded : ChildResult::failed;
  });
  EXPECT_EQ(result, ChildResult::succeeded);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

/// On a file system of 16 KiB, in a mount namespace that ends with the child.
TEST(Counters, AFullDiskIsAnErrorAndLeavesNothing) {
  const Folder folder;
  const ChildResult result = in_child([&] {
    if (::unshare(CLONE_NEWNS) != 0) return ChildResult::could_not_try;
    if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("none", folder.path().c_str(), "tmpfs", 0, "size=16k") != 0) {
      return ChildResult::could_not_try;
    }
    const auto counters = Counters::open(folder.file("a.counters"));
    const bool good = !counters && counters.error().code == ErrorCode::system &&
                      contains(counters.error().message, "No space left on device") &&
                      std::filesystem::is_empty(folder.path());
    return good ? ChildResult::succeeded : ChildResult::failed;
  });
  if (result == ChildResult::could_not_try)
    GTEST_SKIP() << "platform limit: needs the right to mount";
  EXPECT_EQ(result, ChildResult::succeeded);
}

}  // namespace
}  // namespace lockstep::runtime
