#include "transports/hello/life_lines.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <iterator>
#include <optional>
#include <thread>
#include <vector>

#include "runtime/clock.hpp"
#include "tests/transports/connected.hpp"
#include "tools/launch/local_addresses.hpp"

namespace lockstep::transports {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

std::size_t entries_of(const char* folder) {
  const std::filesystem::directory_iterator found(folder);
  return static_cast<std::size_t>(std::distance(begin(found), end(found)));
}
std::size_t descriptors() { return entries_of("/proc/self/fd"); }
std::size_t threads() { return entries_of("/proc/self/task"); }
/// A thread that was joined may stand in the list for a moment more.
bool threads_become(std::size_t count) {
  for (int i = 0; i < 5'000 && threads() != count; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return threads() == count;
}

bool readable(int descriptor, int timeout_ms) {
  pollfd waited{.fd = descriptor, .events = POLLIN, .revents = 0};
  return ::poll(&waited, 1, timeout_ms) == 1;
}

struct Pair {
  Descriptor here;
  Descriptor there;
};

Pair connected_pair() {
  std::array<int, 2> ends{-1, -1};
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()), 0);
  return {.here = Descriptor(ends[0]), .there = Descriptor(ends[1])};
}

std::unique_ptr<LifeLines> hold(LinkId link, Descriptor socket) {
  auto held = LifeLines::hold();
  EXPECT_TRUE(held) << held.error().message;
  EXPECT_EQ((*held)->notice(), "");
  (*held)->add({.link = link, .socket = std::move(socket)});
  return std::move(*held);
}

/// What is told within `timeout_ms` of it ringing.
std::uint64_t told(LifeLines& lines, int timeout_ms) {
  if (!readable(lines.descriptor(), timeout_ms)) return 0;
  for (int attempt = 0; attempt < 1'000; ++attempt) {
    if (const std::uint64_t ended = lines.take_ended(); ended != 0) return ended;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return 0;
}

TEST(LifeLines, AnEndIsToldOnceAndTheBellIsSilentAfterwards) {
  Pair pair = connected_pair();
  const auto lines = hold(5, std::move(pair.here));
  EXPECT_EQ(lines->take_ended(), 0u);
  pair.there.reset();
  EXPECT_EQ(told(*lines, 10'000), std::uint64_t{1} << 5);
  EXPECT_EQ(lines->take_ended(), 0u);
  EXPECT_FALSE(readable(lines->descriptor(), 0));
}

TEST(LifeLines, AGoodByeIsNoDeath) {
  Pair pair = connected_pair();
  const auto stays = hold(0, std::move(pair.here));
  hold(1, std::move(pair.there)).reset();
  EXPECT_EQ(told(*stays, 100), 0u);
}

TEST(LifeLines, OfALineThatWasDroppedNothingIsTold) {
  Pair pair = connected_pair();
  const auto lines = hold(3, std::move(pair.here));
  lines->drop(3);
  // Good-bye is said on it, and it ends.
  ASSERT_TRUE(readable(pair.there.get(), 10'000));
  char said = 0;
  EXPECT_EQ(::recv(pair.there.get(), &said, 1, 0), 1);
  pair.there.reset();
  EXPECT_EQ(told(*lines, 100), 0u);
}

// The old one may end before or after the new one comes: it tells nothing of the new incarnation.
TEST(LifeLines, ANewLineTakesThePlaceOfTheOldOne) {
  for (const bool ends_before : {true, false}) {
    Pair old = connected_pair();
    Pair anew = connected_pair();
    const auto lines = hold(3, std::move(old.here));
    if (ends_before) {
      old.there.reset();
      ASSERT_TRUE(readable(lines->descriptor(), 10'000));  // it is noted, and not taken yet
    }
    lines->drop(3);
    lines->add({.link = 3, .socket = std::move(anew.here)});
    old.there.reset();
    EXPECT_EQ(told(*lines, 100), 0u) << ends_before;
    anew.there.reset();
    std::uint64_t ended = 0;
    for (int i = 0; i < 10'000 && ended == 0; ++i) {
      ended = lines->take_ended();
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    EXPECT_EQ(ended, std::uint64_t{1} << 3) << ends_before;
  }
}

TEST(LifeLines, AreInNoTableButThatOfTheirThread) {
  Pair pair = connected_pair();
  const int number = pair.here.get();
  const auto lines = hold(0, std::move(pair.here));
  EXPECT_EQ(::fcntl(number, F_GETFD), -1);
  EXPECT_FALSE(readable(pair.there.get(), 0)) << "the line has ended";
}

/// How many threads there are once those that end have ended.
std::size_t settled_threads() {
  std::size_t fewest = threads();
  for (int i = 0; i < 300; ++i) {
    usleep(1'000);
    fewest = std::min(fewest, threads());
  }
  return fewest;
}

TEST(LifeLines, LeaveNoThreadAndNoDescriptor) {
  {
    // The first thread of a process brings one of the thread sanitizer's with it.
    Pair pair = connected_pair();
    const auto lines = hold(0, std::move(pair.here));
  }
  const std::size_t threads_before = settled_threads();
  const std::size_t descriptors_before = descriptors();
  for (int i = 0; i < 20; ++i) {
    Pair pair = connected_pair();
    const auto lines = hold(0, std::move(pair.here));
    EXPECT_TRUE(threads_become(threads_before + 1));
  }
  EXPECT_EQ(descriptors(), descriptors_before);
  EXPECT_TRUE(threads_become(threads_before));
}

std::unique_ptr<Connection> join(const std::vector<std::string>& addresses, std::uint32_t rank) {
  auto joined = connect_all({.name = "lines",
                             .members = {"a", "b"},
                             .addresses = addresses,
                             .transport = "tcp",
                             .join_timeout_ns = 30 * kSecond},
                            {.my_rank = rank,
                             .region_bytes = 4'096,
                             .source_bytes = 4'096,
                             .memory = {},
                             .introduction = {}});
  EXPECT_TRUE(joined);
  return joined;
}

std::vector<std::string> two_addresses() {
  return launch::local_addresses("tcp", 2, {"127.0.0.1"}).value();
}

TEST(LifeLines, AMemberThatLeavesIsSeenToLeaveOnce) {
  const auto addresses = two_addresses();
  for (int i = 0; i < 20; ++i) {
    std::unique_ptr<Connection> leaver;
    std::thread other([&] { leaver = join(addresses, 1); });
    const auto stays = join(addresses, 0);
    other.join();
    ASSERT_TRUE(stays && leaver);
    std::thread leaving([&] { leaver.reset(); });
    std::array<LinkDown, 2> events{};
    std::size_t count = 0;
    for (int turn = 0; turn < 100'000 && count == 0; ++turn) count = stays->transport->poll(events);
    leaving.join();
    ASSERT_EQ(count, 1u);
    EXPECT_EQ(events[0].reason, DownReason::peer_left);
    for (int turn = 0; turn < 1'000; ++turn) ASSERT_EQ(stays->transport->poll(events), 0u);
  }
}

/// Two members over TCP: this process, and one that holds 512 MiB and waits to be killed.
class KilledMember {
 public:
  struct Times {
    std::uint64_t noticed_ns = 0;  ///< from the signal to the event
    std::uint64_t data_ns = 0;     ///< to the end of a socket of its main table
    std::uint64_t freed_ns = 0;    ///< to the end of its last thread
    DownReason reason = DownReason::link_failed;
  };

  KilledMember() {
    child_ = ::fork();
    if (child_ == 0) live();
    data_.there.reset();
    connection_ = join(addresses_, 0);
  }
  ~KilledMember() {
    if (child_ <= 0) return;
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
  }
  KilledMember(const KilledMember&) = delete;
  KilledMember& operator=(const KilledMember&) = delete;

  /// Nothing if it did not come so far within 60 s.
  std::optional<Times> kill() {
    const runtime::TscClock clock;
    char ready = 0;
    if (!connection_ || !readable(data_.here.get(), 60'000)) return std::nullopt;
    if (::recv(data_.here.get(), &ready, 1, 0) != 1) return std::nullopt;
    const std::uint64_t start_ns = clock.now_ns();
    ::kill(child_, SIGKILL);
    Times times;
    while (times.noticed_ns == 0 || times.data_ns == 0 || times.freed_ns == 0) {
      const std::uint64_t past_ns = clock.now_ns() - start_ns;
      if (past_ns > 60 * kSecond) return std::nullopt;
      look(times, past_ns);
    }
    return times;
  }

 private:
  void look(Times& times, std::uint64_t past_ns) {
    std::array<LinkDown, 2> events{};
    if (const std::size_t count = connection_->transport->poll(events); count > 0) {
      EXPECT_EQ(count, 1u);
      EXPECT_EQ(times.noticed_ns, 0u) << "told twice";
      times.noticed_ns = past_ns;
      times.reason = events[0].reason;
    }
    if (times.data_ns == 0 && readable(data_.here.get(), 0)) times.data_ns = past_ns;
    if (child_ > 0 && ::waitpid(child_, nullptr, WNOHANG) == child_) {
      child_ = 0;
      times.freed_ns = past_ns;
    }
  }

  [[noreturn]] void live() {
    constexpr std::size_t kBytes = 512UL << 20;
    data_.here.reset();
    void* const memory =
        ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ::madvise(memory, kBytes, MADV_NOHUGEPAGE);
    if (::madvise(memory, kBytes, MADV_POPULATE_WRITE) != 0) std::_Exit(1);
    const auto connection = join(addresses_, 1);
    if (!connection || ::send(data_.there.get(), "r", 1, MSG_NOSIGNAL) != 1) std::_Exit(1);
    std::array<LinkDown, 2> events{};
    while (connection->transport->poll(events) == 0)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    std::_Exit(1);
  }

  Pair data_ = connected_pair();  ///< like every other socket of that process
  const std::vector<std::string> addresses_ = two_addresses();
  pid_t child_ = 0;
  std::unique_ptr<Connection> connection_;
};

TEST(LifeLines, AKilledMemberIsNoticedWhileItsMemoryIsFreed) {
  // The machine may be busy: once is proof, since without life lines it would never be.
  constexpr std::uint64_t kAheadNs = 5'000'000;
  bool ahead = false;
  for (int attempt = 0; attempt < 5 && !ahead; ++attempt) {
    const auto times = KilledMember().kill();
    ASSERT_TRUE(times);
    EXPECT_EQ(times->reason, DownReason::peer_died);
    EXPECT_LT(times->noticed_ns, kSecond);
    fmt::print(
        "noticed after {:.2f} ms, its sockets ended after {:.2f} ms, its memory after {:.2f}\n",
        static_cast<double>(times->noticed_ns) / 1e6, static_cast<double>(times->data_ns) / 1e6,
        static_cast<double>(times->freed_ns) / 1e6);
    ahead = times->noticed_ns + kAheadNs < times->freed_ns;
  }
  EXPECT_TRUE(ahead);
}

}  // namespace
}  // namespace lockstep::transports
