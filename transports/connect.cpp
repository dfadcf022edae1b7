#include "transports/connect.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

#include "runtime/clock.hpp"
#include "runtime/endpoint.hpp"
#include "transports/datagrams/datagram_transport.hpp"
#include "transports/dpdk/open_dpdk.hpp"
#include "transports/hello/tcp_place.hpp"
#include "transports/shm/shm_transport.hpp"
#include "transports/shm/unix_place.hpp"
#include "transports/tcp/tcp_transport.hpp"
#include "transports/udp/udp_port.hpp"
#include "transports/verbs/verbs_transport.hpp"

namespace lockstep::transports {
namespace {

/// What a medium gives: the transport, and who makes its links.
struct Opened {
  std::unique_ptr<Transport> transport;
  std::unique_ptr<LinkMaker> maker;
};

template <class Kind>
Expected<Opened> opened(Expected<std::unique_ptr<Kind>> transport) {
  if (!transport) return std::unexpected(transport.error());
  auto maker = (*transport)->link_maker();
  return Opened{.transport = std::move(*transport), .maker = std::move(maker)};
}

TcpIo tcp_io_of(std::string_view word) {
  if (word == "io_uring") return TcpIo::io_uring;
  return word == "sockets" ? TcpIo::sockets : TcpIo::automatic;
}

Encryption encryption_of(std::string_view word) {
  if (word == "always") return Encryption::always;
  return word == "never" ? Encryption::never : Encryption::off_host;
}

Expected<Opened> open_shm(std::uint32_t members, const ConnectOptions& options) {
  return opened(ShmTransport::open({.members = members,
                                    .region_bytes = options.region_bytes,
                                    .source_bytes = options.source_bytes,
                                    .blocks = {.memory = options.memory, .core = options.core},
                                    .doorbell = options.doorbell}));
}

/// Whoever is silent so long has been left out, unless nobody has a quorum: then a link made anew
/// is there sooner than TCP tries again.
std::uint64_t unanswered_ns(const GroupConfig& config) {
  constexpr std::uint64_t kLeastNs = 5'000'000'000;
  return std::max(kLeastNs, 3 * config.silence_timeout_ns);
}

Expected<Opened> open_tcp(std::uint32_t members, const GroupConfig& config,
                          const ConnectOptions& options) {
  return opened(TcpTransport::open({.members = members,
                                    .region_bytes = options.region_bytes,
                                    .source_bytes = options.source_bytes,
                                    .blocks = {.memory = options.memory, .core = options.core},
                                    .io = tcp_io_of(config.tcp_io),
                                    .unanswered_ns = unanswered_ns(config)}));
}

Expected<Opened> open_datagrams(std::uint32_t members, const GroupConfig& config,
                                const ConnectOptions& options, std::unique_ptr<Port> port,
                                const Notices& notices) {
  return opened(DatagramTransport::open({.my_rank = options.my_rank,
                                         .members = members,
                                         .region_bytes = options.region_bytes,
                                         .source_bytes = options.source_bytes,
                                         .blocks = {.memory = options.memory, .core = options.core},
                                         .unanswered_ns = unanswered_ns(config)},
                                        std::move(port), notices));
}

Expected<Opened> open_udp(std::uint32_t members, const GroupConfig& config,
                          const ConnectOptions& options) {
  const auto mine = runtime::parse_endpoint(config.addresses[options.my_rank]);
  if (!mine) return std::unexpected(mine.error());
  Notices notices;
  auto port = UdpPort::open(*mine, members - 1, notices);
  if (!port) return std::unexpected(port.error());
  return open_datagrams(members, config, options, std::move(*port), notices);
}

Expected<Opened> open_dpdk(std::uint32_t members, const GroupConfig& config,
                           const ConnectOptions& options) {
  Notices notices;
  auto port = dpdk::open_dpdk(config, options.my_rank, notices);
  if (!port) return std::unexpected(port.error());
  return open_datagrams(members, config, options, std::move(*port), notices);
}

/// The device that has this member's address, unless one is named.
Expected<Opened> open_verbs(std::uint32_t members, const GroupConfig& config,
                            const ConnectOptions& options) {
  DeviceChoice device{
      .device = config.verbs_device, .gid_index = config.verbs_gid_index, .core = options.core};
  const auto mine = runtime::parse_endpoint(config.addresses[options.my_rank]);
  if (!mine) return std::unexpected(mine.error());
  if (device.device.empty()) device.address = runtime::host_of(*mine);
  return opened(VerbsTransport::open({.device = std::move(device),
                                      .members = members,
                                      .region_bytes = options.region_bytes,
                                      .source_bytes = options.source_bytes,
                                      .memory = options.memory}));
}

Expected<Opened> open_network(std::uint32_t members, const GroupConfig& config,
                              const ConnectOptions& options) {
  if (config.transport == "verbs") return open_verbs(members, config, options);
  if (config.transport == "udp") return open_udp(members, config, options);
  if (config.transport == "dpdk") return open_dpdk(members, config, options);
  return open_tcp(members, config, options);
}

Expected<std::unique_ptr<GroupKey>> key_of(const GroupConfig& config) {
  if (config.key_file.empty()) return nullptr;
  auto key = GroupKey::read(config.key_file);
  if (!key) return std::unexpected(key.error());
  return std::make_unique<GroupKey>(std::move(*key));
}

std::uint64_t founders_of(const GroupConfig& config) {
  std::uint64_t founders = 0;
  for (std::size_t rank = 0; rank < config.members.size(); ++rank) {
    const bool named =
        std::ranges::find(config.founders, config.members[rank]) != config.founders.end();
    if (config.founders.empty() || named) founders |= std::uint64_t{1} << rank;
  }
  return founders;
}

}  // namespace

Expected<Connection> connect(const GroupConfig& config, const ConnectOptions& options,
                             const Examine& examine) {
  const auto members = static_cast<std::uint32_t>(config.members.size());
  const bool shm =
      config.transport == "shm" || (config.transport == "auto" && config.addresses.empty());
  Greeter::Options greeting{.meeting = {.group = config.name,
                                        .members = config.members,
                                        .my_rank = options.my_rank,
                                        .founders = founders_of(config),
                                        .region_bytes = options.region_bytes,
                                        .timeout_ns = config.join_timeout_ns,
                                        .incarnation = options.incarnation,
                                        .machine = this_machine(),
                                        .introduction = options.introduction},
                            .key = nullptr,
                            .encryption = encryption_of(config.encryption),
                            .doorbell = options.doorbell};
  std::unique_ptr<MeetingPlace> place;
  Expected<Opened> medium = Opened{};
  if (shm) {
    place = std::make_unique<UnixPlace>(config.name, config.members, options.my_rank);
    medium = open_shm(members, options);
  } else {
    auto key = key_of(config);
    if (!key) return std::unexpected(key.error());
    greeting.key = std::move(*key);
    auto made = TcpPlace::make({.group = config.name,
                                .addresses = config.addresses,
                                .my_rank = options.my_rank,
                                .version = runtime::TscClock().wall_ns(),
                                .key = greeting.key.get()});
    if (!made) return std::unexpected(made.error());
    place = std::make_unique<TcpPlace>(std::move(*made));
    medium = open_network(members, config, options);
  }
  if (!medium) return std::unexpected(medium.error());
  Connection connection{.transport = std::move(medium->transport),
                        .greeter = std::make_unique<Greeter>(std::move(greeting), std::move(place),
                                                             std::move(medium->maker), examine)};
  auto founds = connection.greeter->gather();
  if (!founds) return std::unexpected(founds.error());
  connection.founds = *founds;
  return connection;
}

}  // namespace lockstep::transports
