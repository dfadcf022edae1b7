#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "runtime/memory.hpp"
#include "tests/unit/runtime_child.hpp"

namespace lockstep::runtime {
namespace {

using tests::ChildResult;
using tests::in_child;

constexpr std::size_t kMegabyte = std::size_t{1} << 20;

MemoryOptions small_pages() {
  return {.huge_pages = HugePages::never, .lock = false, .purpose = "the ring of rank 1"};
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST(SharedBlock, IsZeroedRoundedAndWritable) {
  auto block = SharedBlock::create(5'000, small_pages());
  ASSERT_TRUE(block) << block.error().message;
  EXPECT_GE(block->size(), 5'000U);
  EXPECT_EQ(block->size() % static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)), 0U);
  EXPECT_TRUE(std::ranges::all_of(block->bytes(), [](std::byte b) { return b == std::byte{0}; }));
  block->data()[4'999] = std::byte{7};
  EXPECT_FALSE(block->huge());
  EXPECT_TRUE(block->notice().empty());
  EXPECT_TRUE(*block);
  EXPECT_FALSE(SharedBlock());
}

TEST(SharedBlock, IsSharedThroughItsDescriptor) {
  auto block = SharedBlock::create(kMegabyte, small_pages());
  ASSERT_TRUE(block) << block.error().message;
  auto peer = SharedBlock::attach(::dup(block->descriptor()), kMegabyte, "a region");
  ASSERT_TRUE(peer) << peer.error().message;
  EXPECT_EQ(peer->size(), block->size());
  EXPECT_NE(peer->data(), block->data());
  peer->data()[123] = std::byte{42};
  EXPECT_EQ(block->data()[123], std::byte{42});
}

TEST(SharedBlock, CannotBeResizedByAPeer) {
  auto block = SharedBlock::create(kMegabyte, small_pages());
  ASSERT_TRUE(block) << block.error().message;
  EXPECT_NE(::ftruncate(block->descriptor(), 0), 0);
  EXPECT_NE(::ftruncate(block->descriptor(), 2 * kMegabyte), 0);
}

TEST(SharedBlock, MovesItsMapping) {
  auto made = SharedBlock::create(4'096, small_pages());
  ASSERT_TRUE(made) << made.error().message;
  std::byte* const data = made->data();
  const int descriptor = made->descriptor();
  SharedBlock block(std::move(*made));
  EXPECT_EQ(block.data(), data);
  SharedBlock other;
  other = std::move(block);
  EXPECT_EQ(other.data(), data);
  EXPECT_EQ(other.descriptor(), descriptor);
  EXPECT_FALSE(block);  // NOLINT: a moved-from block is empty, and that is the claim
  EXPECT_EQ(block.descriptor(), -1);
  other = SharedBlock();
  EXPECT_EQ(::fcntl(descriptor, F_GETFD), -1);
}

TEST(SharedBlock, RefusesAShorterFile) {
  auto block = SharedBlock::create(4'096, small_pages());
  ASSERT_TRUE(block) << block.error().message;
  auto peer = SharedBlock::attach(::dup(block->descriptor()), 2 * kMegabyte, "the ring of rank 2");
  ASSERT_FALSE(peer);
  EXPECT_EQ(peer.error().code, ErrorCode::mismatch);
  EXPECT_TRUE(contains(peer.error().message, "the ring of rank 2")) << peer.error().message;
  EXPECT_TRUE(contains(peer.error().message, "holds 4096 bytes, 2097152 are needed"))
      << peer.error().message;
}

TEST(SharedBlock, RefusesAFileThatCouldShrink) {
  const int descriptor = ::memfd_create("shrinkable", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  ASSERT_GE(descriptor, 0);
  ASSERT_EQ(::ftruncate(descriptor, 8'192), 0);
  auto peer = SharedBlock::attach(descriptor, 4'096, "a region");
  ASSERT_FALSE(peer);
  EXPECT_EQ(peer.error().code, ErrorCode::mismatch);
  EXPECT_TRUE(contains(peer.error().message, "F_SEAL_SHRINK")) << peer.error().message;
  // Taken over, so closed, even when refused.
  EXPECT_EQ(::fcntl(descriptor, F_GETFD), -1);
}

TEST(SharedBlock, RefusesWhatIsNoMemoryFile) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  auto peer = SharedBlock::attach(ends[0], 4'096, "a region");
  EXPECT_FALSE(peer);
  ::close(ends[1]);
  EXPECT_FALSE(SharedBlock::attach(-1, 4'096, "a region"));
}

TEST(SharedBlock, RefusesNothingAndTooMuch) {
  auto none = SharedBlock::create(0, small_pages());
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, ErrorCode::invalid_argument);
  EXPECT_FALSE(SharedBlock::create(~std::size_t{0}, small_pages()));
  auto more_than_there_is = SharedBlock::create(std::size_t{1} << 46, small_pages());
  ASSERT_FALSE(more_than_there_is);
  EXPECT_EQ(more_than_there_is.error().code, ErrorCode::no_memory);
  EXPECT_TRUE(contains(more_than_there_is.error().message, "MemAvailable"))
      << more_than_there_is.error().message;
}

/// Whichever way this machine is set up, the outcome and the words must fit each other.
TEST(SharedBlock, UsesHugePagesOrSaysWhyNot) {
  auto block = SharedBlock::create(3 * kMegabyte, {.purpose = "the ring of rank 1"});
  ASSERT_TRUE(block) << block.error().message;
  if (block->huge()) {
    EXPECT_EQ(block->size(), 4 * kMegabyte);
    EXPECT_TRUE(block->notice().empty());
    auto peer = SharedBlock::attach(::dup(block->descriptor()), 3 * kMegabyte, "a region");
    ASSERT_TRUE(peer) << peer.error().message;
    EXPECT_TRUE(peer->huge());
    EXPECT_EQ(peer->size(), 4 * kMegabyte);
  } else {
    EXPECT_EQ(block->size(), 3 * kMegabyte);
    EXPECT_TRUE(contains(block->notice(), "the ring of rank 1: no huge pages")) << block->notice();
    EXPECT_TRUE(contains(block->notice(), "vm.nr_hugepages")) << block->notice();
  }
}

/// More huge pages than any machine reserves.
TEST(SharedBlock, RequiredHugePagesAreRequired) {
  auto block = SharedBlock::create(
      std::size_t{1} << 45, {.huge_pages = HugePages::required, .purpose = "the ring of rank 1"});
  ASSERT_FALSE(block);
  EXPECT_EQ(block.error().code, ErrorCode::no_memory);
  EXPECT_TRUE(contains(block.error().message, "the ring of rank 1")) << block.error().message;
  EXPECT_TRUE(contains(block.error().message, "vm.nr_hugepages")) << block.error().message;
}

TEST(SharedBlock, DoesNotSpendAHugePageOnALittle) {
  auto block = SharedBlock::create(4'096, {});
  ASSERT_TRUE(block) << block.error().message;
  EXPECT_FALSE(block->huge());
  EXPECT_TRUE(block->notice().empty());
}

TEST(SharedBlock, LockingNamesTheLimit) {
  const ChildResult result = in_child([] {
    const rlimit limit{65'536, 65'536};
    if (::setrlimit(RLIMIT_MEMLOCK, &limit) != 0) return ChildResult::could_not_try;
    // CAP_IPC_LOCK would lift the limit.
    if (::geteuid() == 0 && ::setresuid(65'534, 65'534, 65'534) != 0) {
      return ChildResult::could_not_try;
    }
    // Sanitizers swallow mlock; then there is no limit to run into.
    void* pages =
        ::mmap(nullptr, kMegabyte, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (::mlock(pages, kMegabyte) == 0) return ChildResult::could_not_try;
    MemoryOptions options = small_pages();
    options.lock = true;
    if (!SharedBlock::create(16'384, options)) return ChildResult::failed;
    auto block = SharedBlock::create(kMegabyte, options);
    if (block) return ChildResult::failed;
    const std::string& message = block.error().message;
    const bool good = block.error().code == ErrorCode::no_memory &&
                      contains(message, "RLIMIT_MEMLOCK is 65536 bytes") &&
                      contains(message, "raise it to at least 1048576 (ulimit -l 1024") &&
                      contains(message, "the ring of rank 1");
    if (!good) std::fprintf(stderr, "%s\n", message.c_str());
    return good ? ChildResult::succeeded : ChildResult::failed;
  });
  if (result == ChildResult::could_not_try)
    GTEST_SKIP() << "platform limit: RLIMIT_MEMLOCK does not hold here";
  EXPECT_EQ(result, ChildResult::succeeded);
}

/// Without the check the kernel would end the process with SIGXFSZ.
TEST(SharedBlock, FileSizeLimitIsAnError) {
  const ChildResult result = in_child([] {
    const rlimit limit{8'192, 8'192};
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) return ChildResult::could_not_try;
    auto block = SharedBlock::create(kMegabyte, small_pages());
    const bool good = !block && block.error().code == ErrorCode::no_memory &&
                      contains(block.error().message, "RLIMIT_FSIZE");
    return good ? ChildResult::succeeded : ChildResult::failed;
  });
  EXPECT_EQ(result, ChildResult::succeeded);
}

}  // namespace
}  // namespace lockstep::runtime
