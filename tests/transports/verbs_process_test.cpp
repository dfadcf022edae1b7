#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "runtime/clock.hpp"
#include "tests/transports/conformance.hpp"
#include "tests/transports/verbs_group.hpp"
#include "transports/verbs/parameters.hpp"
#include "transports/verbs/verbs_transport.hpp"

namespace lockstep::transports::conformance {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

class VerbsProcess : public testing::Test {
 protected:
  void SetUp() override {
    const std::string missing = VerbsGroup::missing();
    if (!missing.empty()) GTEST_SKIP() << "platform limit: " << missing;
  }
};

/// A member in a process of its own, which writes to rank 0 until it is killed.
class OtherProcess {
 public:
  explicit OtherProcess(const std::string& device) {
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sockets_.data()) != 0) std::abort();
    child_ = ::fork();
    if (child_ == 0) write_for_ever(device);
  }
  ~OtherProcess() {
    kill();
    for (const int socket : sockets_) ::close(socket);
  }
  OtherProcess(const OtherProcess&) = delete;
  OtherProcess& operator=(const OtherProcess&) = delete;

  /// Sends a text to the process and returns the one that it sends.
  std::string exchange(const std::string& text) { return exchange(sockets_[0], text); }
  void kill() {
    if (child_ <= 0) return;
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
    child_ = 0;
  }

 private:
  static std::string exchange(int socket, const std::string& text) {
    std::array<char, kMostParameterBytes> reply{};
    if (::send(socket, text.data(), text.size(), MSG_NOSIGNAL) < 0) return {};
    const ssize_t bytes = ::recv(socket, reply.data(), reply.size(), 0);
    return {reply.data(), bytes > 0 ? static_cast<std::size_t>(bytes) : 0};
  }

  [[noreturn]] void write_for_ever(const std::string& device) {
    VerbsOptions options = small_options({.device = device});
    auto transport = VerbsTransport::open(options);
    if (!transport) std::_Exit(1);
    const auto maker = (*transport)->link_maker();
    const Offer peer{
        .parameters = exchange(sockets_[1], maker->offer_for(0, false).value().parameters),
        .descriptors = {}};
    if (!take(*maker, **transport, 0, peer) || exchange(sockets_[1], "ready") != "ready") {
      std::_Exit(1);
    }
    std::array<LinkDown, 2> events{};
    for (std::uint64_t value = 1;; ++value) {
      const auto bytes = std::as_bytes(std::span(&value, 1));
      (*transport)->write(0, 0, 0, bytes, value);
      (*transport)->flush(0);
      if ((*transport)->poll(events) > 0) std::_Exit(1);
    }
  }

  std::array<int, 2> sockets_{};
  pid_t child_ = 0;
};

TEST_F(VerbsProcess, AProcessThatIsKilledIsUnreachable) {
  const runtime::TscClock clock;
  OtherProcess other(rdma_devices().back());
  auto mine = VerbsTransport::open(small_options({.device = rdma_devices().front()})).value();
  const auto maker = mine->link_maker();
  const Offer theirs{.parameters = other.exchange(maker->offer_for(1, false).value().parameters),
                     .descriptors = {}};
  const auto connected = take(*maker, *mine, 1, theirs);
  ASSERT_TRUE(connected) << connected.error().message;
  ASSERT_EQ(other.exchange("ready"), "ready");
  const std::uint64_t start_ns = clock.now_ns();
  while (load_word(mine->inbound(1, 0), 0) < 1'000 && clock.now_ns() - start_ns < 20 * kSecond) {
  }
  ASSERT_GE(load_word(mine->inbound(1, 0), 0), 1'000U);
  other.kill();
  const std::uint64_t killed_ns = clock.now_ns();
  std::array<LinkDown, 2> events{};
  std::size_t downs = 0;
  for (std::uint64_t mark = 1; downs == 0 && clock.now_ns() - killed_ns < 20 * kSecond; ++mark) {
    const auto bytes = std::as_bytes(std::span(&mark, 1));
    mine->write(1, 0, 0, bytes, mark);
    mine->flush(1);
    downs = mine->poll(events);
  }
  ASSERT_EQ(downs, 1U);
  EXPECT_EQ(events[0].reason, DownReason::unreachable);
  EXPECT_LT(clock.now_ns() - killed_ns, 2 * kSecond);
}

/// In a child process: what may be locked cannot be raised again.
TEST_F(VerbsProcess, MemoryThatMayNotBeLockedIsRefusedWithTheLimit) {
  if (::geteuid() != 0) GTEST_SKIP() << "platform limit: only root can give up its privileges here";
  const auto open_with_little_memory = [] {
    const rlimit limit{.rlim_cur = 64 << 10, .rlim_max = 64 << 10};
    if (::setrlimit(RLIMIT_MEMLOCK, &limit) != 0 || ::setuid(65'534) != 0) std::_Exit(1);
    VerbsOptions options = small_options({.device = rdma_devices().front()});
    options.region_bytes = 1 << 20;
    const auto opened = VerbsTransport::open(options);
    std::fputs(opened ? "opened" : opened.error().message.c_str(), stderr);
    std::_Exit(!opened && opened.error().code == ErrorCode::no_memory ? 0 : 1);
  };
  EXPECT_EXIT(open_with_little_memory(), testing::ExitedWithCode(0), "RLIMIT_MEMLOCK is 65536");
}

}  // namespace
}  // namespace lockstep::transports::conformance
