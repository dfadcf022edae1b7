#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <thread>

#include "runtime/clock.hpp"
#include "tests/transports/conformance.hpp"
#include "tools/launch/local_addresses.hpp"
#include "transports/tcp/tcp_transport.hpp"

namespace lockstep::transports::conformance {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

class NetworkOfTcp final : public Network {
 public:
  static std::unique_ptr<Network> connect(const Wanted& wanted, bool ipv6, TcpIo io) {
    const auto addresses =
        launch::local_addresses("tcp", wanted.members, {ipv6 ? "::1" : "127.0.0.1"});
    if (!addresses) return nullptr;
    auto network = std::make_unique<NetworkOfTcp>();
    network->io_ = io;
    network->endpoints_.resize(wanted.members);
    TcpOptions options{.group = "conformance",
                       .members = {},
                       .addresses = *addresses,
                       .my_rank = 0,
                       .region_bytes = wanted.region_bytes,
                       .source_bytes = wanted.source_bytes,
                       .memory = {.huge_pages = HugePages::never},
                       .join_timeout_ns = 30 * kSecond,
                       .introduction = {},
                       .io = io};
    for (std::uint32_t rank = 0; rank < wanted.members; ++rank) {
      options.members.push_back(fmt::format("m{}", rank));
    }
    std::vector<std::thread> joining;
    for (std::uint32_t rank = 0; rank < wanted.members; ++rank) {
      options.my_rank = rank;
      joining.emplace_back([options, &endpoint = network->endpoints_[rank]] {
        auto connected = TcpTransport::connect(
            options, [](std::uint32_t, const std::string&) -> Expected<void> { return {}; });
        if (connected) {
          endpoint = std::move(*connected);
        } else {
          fmt::print(stderr, "{}\n", connected.error().message);
        }
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

  Transport& endpoint(std::uint32_t rank) override { return *endpoints_[rank]; }

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
    for (const int descriptor : endpoints_[rank]->descriptors()) {
      waited.push_back({.fd = descriptor, .events = POLLIN, .revents = 0});
    }
    return ::poll(waited.data(), waited.size(), 0) > 0;
  }

  void end_member(std::uint32_t rank) override { endpoints_[rank].reset(); }

 private:
  TcpIo io_ = TcpIo::automatic;
  runtime::TscClock clock_;
  std::vector<std::unique_ptr<TcpTransport>> endpoints_;
};

Implementation tcp(std::string name, bool ipv6, TcpIo io) {
  return {.name = std::move(name), .connect = [ipv6, io](const Wanted& wanted) {
            return NetworkOfTcp::connect(wanted, ipv6, io);
          }};
}

const Implementation kSockets = tcp("tcp_sockets", false, TcpIo::sockets);
const Implementation kUring = tcp("tcp_io_uring", false, TcpIo::io_uring);
const Implementation kSocketsIpv6 = tcp("tcp_sockets_ipv6", true, TcpIo::sockets);

INSTANTIATE_TEST_SUITE_P(tcp, Conformance,
                         testing::Values(kSockets, kSocketsIpv6, kUring, behind_faults(kSockets),
                                         behind_faults(kUring)),
                         name_of);

}  // namespace
}  // namespace lockstep::transports::conformance
