#include "transports/connect.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "runtime/clock.hpp"
#include "runtime/endpoint.hpp"
#include "transports/automatic/auto_transport.hpp"
#include "transports/automatic/either_place.hpp"
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

/// Shared memory is as safe as the host is; but who asked for encryption of everything means it.
bool shares_memory(const GroupConfig& config) {
  return encryption_of(config.encryption) != Encryption::always;
}

ShmOptions shm_options(std::uint32_t members, const ConnectOptions& options) {
  return {.members = members,
          .region_bytes = options.region_bytes,
          .source_bytes = options.source_bytes,
          .blocks = {.memory = options.memory, .core = options.core},
          .doorbell = options.doorbell};
}

/// Whoever is silent so long has been left out, unless nobody has a quorum: then a link made anew
/// is there sooner than TCP tries again.
std::uint64_t unanswered_ns(const GroupConfig& config) {
  constexpr std::uint64_t kLeastNs = 5'000'000'000;
  return std::max(kLeastNs, 3 * config.silence_timeout_ns);
}

TcpOptions tcp_options(std::uint32_t members, const GroupConfig& config,
                       const ConnectOptions& options) {
  return {.members = members,
          .region_bytes = options.region_bytes,
          .source_bytes = options.source_bytes,
          .blocks = {.memory = options.memory, .core = options.core},
          .io = tcp_io_of(config.tcp_io),
          .unanswered_ns = unanswered_ns(config)};
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
Expected<VerbsOptions> verbs_options(std::uint32_t members, const GroupConfig& config,
                                     const ConnectOptions& options) {
  DeviceChoice device{
      .device = config.verbs_device, .gid_index = config.verbs_gid_index, .core = options.core};
  const auto mine = runtime::parse_endpoint(config.addresses[options.my_rank]);
  if (!mine) return std::unexpected(mine.error());
  if (device.device.empty()) device.address = runtime::host_of(*mine);
  return VerbsOptions{.device = std::move(device),
                      .members = members,
                      .region_bytes = options.region_bytes,
                      .source_bytes = options.source_bytes,
                      .memory = options.memory};
}

Expected<Opened> open_verbs(std::uint32_t members, const GroupConfig& config,
                            const ConnectOptions& options) {
  auto chosen = verbs_options(members, config, options);
  if (!chosen) return std::unexpected(chosen.error());
  return opened(VerbsTransport::open(*chosen));
}

/// RDMA where this member can have it. No notice where there is no device at all.
void add_verbs(AutoTransport::Parts& parts, std::uint32_t members, const GroupConfig& config,
               const ConnectOptions& options) {
  // RDMA cannot be encrypted: who configured a key did not choose to do without.
  if (!config.key_file.empty() && encryption_of(config.encryption) != Encryption::never) {
    parts.no_verbs = Obstacle::unsealed;
    return;
  }
  auto chosen = verbs_options(members, config, options);
  // Peers may have other devices, which keep another order.
  if (chosen) chosen->trust_order = false;
  auto made = chosen ? VerbsTransport::open(*chosen) : std::unexpected<Error>(chosen.error());
  if (made) {
    parts.verbs = std::move(*made);
  } else if (made.error().code != ErrorCode::not_supported) {
    parts.notices.add(fmt::format("no RDMA for this member: {}", made.error().message));
  }
}

Expected<Opened> open_automatic(std::uint32_t members, const GroupConfig& config,
                                const ConnectOptions& options) {
  AutoTransport::Parts parts;
  parts.may_share_memory = shares_memory(config);
  add_verbs(parts, members, config, options);
  ConnectOptions sourceless = options;
  sourceless.source_bytes = 0;
  auto tcp = TcpTransport::open(tcp_options(members, config, parts.verbs ? sourceless : options));
  if (!tcp) return std::unexpected(tcp.error());
  auto shm = ShmTransport::open(shm_options(members, sourceless));
  if (!shm) return std::unexpected(shm.error());
  parts.tcp = std::move(*tcp);
  parts.shm = std::move(*shm);
  return opened(Expected<std::unique_ptr<AutoTransport>>(
      std::make_unique<AutoTransport>(std::move(parts), members)));
}

Expected<Opened> open_network(std::uint32_t members, const GroupConfig& config,
                              const ConnectOptions& options) {
  if (config.transport == "verbs") return open_verbs(members, config, options);
  if (config.transport == "udp") return open_udp(members, config, options);
  if (config.transport == "dpdk") return open_dpdk(members, config, options);
  if (config.transport == "auto") return open_automatic(members, config, options);
  return opened(TcpTransport::open(tcp_options(members, config, options)));
}

std::unique_ptr<MeetingPlace> make_place(const GroupConfig& config, std::uint32_t my_rank,
                                         TcpPlace far) {
  const bool near = config.transport == "auto" && shares_memory(config);
  if (!near) return std::make_unique<TcpPlace>(std::move(far));
  return std::make_unique<EitherPlace>(UnixPlace(config.name, config.members, my_rank),
                                       std::move(far));
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
    medium = opened(ShmTransport::open(shm_options(members, options)));
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
    place = make_place(config, options.my_rank, std::move(*made));
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
