#ifdef LOCKSTEP_HAS_DPDK

#include <arpa/inet.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <linux/bpf.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <string>

#include "runtime/clock.hpp"
#include "tests/partitions/make_network.hpp"
#include "tests/partitions/partitions.hpp"
#include "tests/processes/group_fixture.hpp"
#include "tests/processes/running_group.hpp"
#include "tools/launch/shared_array.hpp"
#include "transports/dpdk/load_port.hpp"

// DPDK over XDP sockets (net_af_xdp). Such a socket takes everything that its queue receives, so
// members meet over another network: a second cable, "xdp0" at both ends, is for DPDK alone.

namespace lockstep::test {
namespace {

using transports::Descriptor;

constexpr const char* kDevice = "net_af_xdp0,iface=xdp0";

/// Whether this process may make XDP sockets, and the map that leads packets to them (bpf(2)).
bool may_use_xdp() {
  const Descriptor socket(::socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0));
  bpf_attr map{};
  map.map_type = BPF_MAP_TYPE_XSKMAP;
  map.key_size = map.value_size = 4;
  map.max_entries = 1;
  const Descriptor made(static_cast<int>(::syscall(SYS_bpf, BPF_MAP_CREATE, &map, sizeof map)));
  return socket.open() && made.open();
}

/// Two networks with the second cable between them.
class Xdp : public testing::Test {
 protected:
  void SetUp() override {
    if (!may_use_xdp()) GTEST_SKIP() << "platform limit: no XDP sockets, or no BPF for them";
    make_network(2, network_);
    if (!network_) return;
    const auto cabled = network_->network_of(0).ip(
        fmt::format("link add xdp0 type veth peer name xdp0 netns {}\nlink set xdp0 up\n",
                    network_->network_of(1).path()));
    ASSERT_TRUE(cabled) << cabled.error().message;
    ASSERT_TRUE(network_->network_of(1).ip("link set xdp0 up\n"));
    ASSERT_TRUE(network_->network_of(0).wait_until_running("xdp0"));
  }

  std::optional<Partitions> network_;
};

TEST_F(Xdp, GroupOrdersOverACableOfItsOwnAndGoesOnWithoutADeadMember) {
  GroupConfig config = group_of(2, 0, unique_name("xdp"));
  config.transport = "dpdk";
  config.dpdk_devices = kDevice;
  for (std::uint32_t rank = 0; rank < 2; ++rank) {
    config.addresses.push_back(network_->address(rank) + ":7000");
  }
  RunningGroup group;
  ASSERT_NO_FATAL_FAILURE(group.start(config, {{.pace_ns = kMillisecond}},
                                      [&](std::uint32_t member, const std::function<int()>& body) {
                                        return network_->start_in(member, body);
                                      }));
  ASSERT_TRUE(group.wait_for_progress({0, 1}, 2'000));
  group.kill(1);
  ASSERT_TRUE(group.wait_for_view({0}));
  ASSERT_TRUE(group.wait_for_progress({0}, 300));
  ASSERT_NO_FATAL_FAILURE(group.expect_to_settle({0}));
}

// ---- bare frames -------------------------------------------------------------------------------

/// More than DPDK has buffers for, so each is used again.
constexpr std::uint32_t kFrames = 20'000;
/// Sent ahead of what arrived: fewer than any queue on the way holds.
constexpr std::uint32_t kAhead = 32;

struct Words {
  std::atomic<bool> listens;
  std::atomic<std::uint32_t> arrived;
};

/// The frames that come to "xdp0" of this process's network by the kernel, in order, from the
/// first.
int count_frames(Words& words) {
  const Descriptor socket(::socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_ll here{};
  here.sll_family = AF_PACKET;
  here.sll_protocol = htons(ETH_P_ALL);
  here.sll_ifindex = static_cast<int>(::if_nametoindex("xdp0"));
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&here), sizeof here) != 0) return 2;
  words.listens = true;
  while (words.arrived < kFrames) {
    pollfd readable{.fd = socket.get(), .events = POLLIN, .revents = 0};
    if (::poll(&readable, 1, 10'000) != 1) return 3;
    std::array<std::byte, 64> frame;
    const auto bytes = ::recv(socket.get(), frame.data(), frame.size(), 0);
    std::uint32_t number = 0;
    if (bytes >= static_cast<ssize_t>(sizeof number)) {
      std::memcpy(&number, frame.data(), sizeof number);
    }
    // The kernel sends some of its own (IPv6 looks for routers), which are longer.
    if (bytes != sizeof number) continue;
    if (number != words.arrived) return 4;
    words.arrived = number + 1;
  }
  return 0;
}

int send_frames(const Words& words) {
  transports::Notices notices;
  auto wire = transports::dpdk::load_wire(
      "", {.devices = {kDevice}, .eal = {}, .address = {}, .prefix = unique_name("xdp")}, notices);
  if (!wire) {
    fmt::print(stderr, "{}\n", wire.error().message);
    return 2;
  }
  const runtime::TscClock clock;
  const std::uint64_t give_up_ns = clock.now_ns() + 30 * kSecond;
  for (std::uint32_t number = 0; number < kFrames;) {
    if (clock.now_ns() > give_up_ns) {
      fmt::print(stderr, "sent {} frames, {} arrived\n", number, words.arrived.load());
      return 3;
    }
    if (number >= words.arrived + kAhead) continue;
    std::byte* const place = (*wire)->collect(sizeof number);
    if (place == nullptr) continue;
    std::memcpy(place, &number, sizeof number);
    ++number;
    while (!(*wire)->submit() && clock.now_ns() < give_up_ns) {
    }
  }
  return 0;
}

// The kernel takes from an XDP socket only what lies in the memory that the socket was given, and
// drops the rest without a word: of a pool with gaps in it that was two fifths.
TEST_F(Xdp, EveryFrameArrivesFromWhicheverBuffer) {
  auto words = launch::SharedArray<Words>::create(1);
  ASSERT_TRUE(words) << words.error().message;
  auto counter = network_->start_in(1, [&] { return count_frames((*words)[0]); });
  ASSERT_TRUE(counter) << counter.error().message;
  while (!(*words)[0].listens) ASSERT_FALSE(counter->wait(kMillisecond));
  auto sender = network_->start_in(0, [&] { return send_frames((*words)[0]); });
  ASSERT_TRUE(sender) << sender.error().message;
  EXPECT_EQ(counter->wait(60 * kSecond).value_or(-1), 0);
  EXPECT_EQ((*words)[0].arrived, kFrames);
  EXPECT_EQ(sender->wait(60 * kSecond).value_or(-1), 0);
}

}  // namespace
}  // namespace lockstep::test

#endif
