#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <thread>

#include "runtime/clock.hpp"
#include "tests/transports/conformance.hpp"
#include "tests/transports/connected.hpp"
#include "tests/transports/test_key.hpp"
#include "tools/launch/local_addresses.hpp"
#include "transports/tcp/tcp_transport.hpp"

namespace lockstep::transports::conformance {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

class NetworkOfSockets final : public Network {
 public:
  static std::unique_ptr<Network> connect(const Wanted& wanted, const std::string& transport,
                                          bool ipv6, TcpIo io, bool encrypted,
                                          const std::string& encapsulation = "ethernet") {
    const auto addresses =
        launch::local_addresses(transport, wanted.members, {ipv6 ? "::1" : "127.0.0.1"});
    if (!addresses) return nullptr;
    auto network = std::make_unique<NetworkOfSockets>();
    network->io_ = io;
    network->endpoints_.resize(wanted.members);
    GroupConfig config{.name = "conformance",
                       .addresses = *addresses,
                       .transport = transport,
                       .key_file = encrypted ? network->key_.path() : "",
                       .encryption = encrypted ? "always" : "never",
                       .tcp_io = io == TcpIo::io_uring ? "io_uring" : "sockets",
                       .dpdk_devices = "rings:conformance",
                       .dpdk_encapsulation = encapsulation,
                       .join_timeout_ns = 30 * kSecond};
    for (std::uint32_t rank = 0; rank < wanted.members; ++rank) {
      config.members.push_back(fmt::format("m{}", rank));
    }
    std::vector<std::thread> joining;
    for (std::uint32_t rank = 0; rank < wanted.members; ++rank) {
      joining.emplace_back([config, wanted, rank, &endpoint = network->endpoints_[rank]] {
        endpoint = connect_all(config, {.my_rank = rank,
                                        .region_bytes = wanted.region_bytes,
                                        .source_bytes = wanted.source_bytes,
                                        .memory = {},
                                        .introduction = {}});
      });
    }
    bool complete = true;
    for (std::uint32_t rank = 0; rank < wanted.members; ++rank) {
      joining[rank].join();
      complete &= network->endpoints_[rank] != nullptr;
    }
    if (!complete) return nullptr;
    return network;
  }

  Transport& endpoint(std::uint32_t rank) override { return *endpoints_[rank]->transport; }

  bool run(std::vector<Party> parties) override {
    return io_ == TcpIo::io_uring ? interleave(parties) : run_in_threads(std::move(parties));
  }

  /// A ring belongs to the thread that first used it, and tests look at endpoints from theirs.
  bool interleave(const std::vector<Party>& parties) {
    const std::uint64_t deadline = clock_.now_ns() + 30 * kSecond;
    std::vector<bool> done(parties.size());
    while (std::ranges::count(done, false) > 0) {
      if (clock_.now_ns() > deadline) return false;
      for (std::size_t i = 0; i < parties.size(); ++i) {
        if (parties[i]()) done[i] = true;
      }
    }
    return true;
  }

  void pump() override {}

  bool doorbell_rang(std::uint32_t rank) override {
    std::vector<pollfd> waited;
    for (const int descriptor : endpoint(rank).descriptors()) {
      waited.push_back({.fd = descriptor, .events = POLLIN, .revents = 0});
    }
    return ::poll(waited.data(), waited.size(), 0) > 0;
  }

  void end_member(std::uint32_t rank) override { endpoints_[rank].reset(); }

 private:
  TcpIo io_ = TcpIo::automatic;
  runtime::TscClock clock_;
  TestKeyFile key_;
  std::vector<std::unique_ptr<Connection>> endpoints_;
};

Implementation tcp(std::string name, bool ipv6, TcpIo io, bool encrypted = false) {
  return {.name = std::move(name), .connect = [=](const Wanted& wanted) {
            return NetworkOfSockets::connect(wanted, "tcp", ipv6, io, encrypted);
          }};
}

Implementation udp(std::string name, bool ipv6, bool encrypted = false) {
  return {.name = std::move(name), .connect = [=](const Wanted& wanted) {
            return NetworkOfSockets::connect(wanted, "udp", ipv6, TcpIo::automatic, encrypted);
          }};
}

const Implementation kSockets = tcp("tcp_sockets", false, TcpIo::sockets);
const Implementation kUring = tcp("tcp_io_uring", false, TcpIo::io_uring);
const Implementation kSocketsEncrypted = tcp("tcp_encrypted", false, TcpIo::sockets, true);
const Implementation kUringEncrypted = tcp("tcp_io_uring_encrypted", false, TcpIo::io_uring, true);
const Implementation kSocketsIpv6 = tcp("tcp_sockets_ipv6", true, TcpIo::sockets);

INSTANTIATE_TEST_SUITE_P(tcp, Conformance,
                         testing::Values(kSockets, kSocketsIpv6, kUring, kSocketsEncrypted,
                                         kUringEncrypted, behind_faults(kSockets),
                                         behind_faults(kUring)),
                         name_of);

const Implementation kUdp = udp("udp", false);
const Implementation kUdpIpv6 = udp("udp_ipv6", true);
const Implementation kUdpEncrypted = udp("udp_encrypted", false, true);

INSTANTIATE_TEST_SUITE_P(udp, Conformance,
                         testing::Values(kUdp, kUdpIpv6, kUdpEncrypted, behind_faults(kUdp)),
                         name_of);

#ifdef LOCKSTEP_HAS_DPDK
/// Rings between members of this process.
Implementation dpdk(std::string name, bool ipv6, bool encrypted, std::string encapsulation) {
  return {.name = std::move(name),
          .connect =
              [=](const Wanted& wanted) {
                return NetworkOfSockets::connect(wanted, "dpdk", ipv6, TcpIo::automatic, encrypted,
                                                 encapsulation);
              },
          .polled = true};
}

const Implementation kRings = dpdk("rings", false, false, "ethernet");
const Implementation kRingsEncrypted = dpdk("rings_encrypted_udp_ipv6", true, true, "udp");
const Implementation kRingsUdp = dpdk("rings_udp", false, false, "udp");

INSTANTIATE_TEST_SUITE_P(dpdk, Conformance,
                         testing::Values(kRings, kRingsUdp, kRingsEncrypted, behind_faults(kRings)),
                         name_of);
#endif

}  // namespace
}  // namespace lockstep::transports::conformance
