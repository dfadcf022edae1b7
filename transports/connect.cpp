#include "transports/connect.hpp"

#include <optional>
#include <string_view>

#include "transports/hello/group_key.hpp"
#include "transports/shm/shm_transport.hpp"
#include "transports/tcp/tcp_transport.hpp"
#include "transports/verbs/verbs_meeting.hpp"

namespace lockstep::transports {
namespace {

/// A connected transport of any kind as what they all are.
template <class Kind>
Expected<std::unique_ptr<Transport>> as_transport(Expected<std::unique_ptr<Kind>> connected) {
  if (!connected) return std::unexpected(connected.error());
  return std::move(*connected);
}

TcpIo tcp_io_of(std::string_view word) {
  if (word == "io_uring") return TcpIo::io_uring;
  return word == "sockets" ? TcpIo::sockets : TcpIo::automatic;
}

}  // namespace

Expected<std::unique_ptr<Transport>> connect(const GroupConfig& config,
                                             const ConnectOptions& options,
                                             const Examine& examine) {
  const bool shm =
      config.transport == "shm" || (config.transport == "auto" && config.addresses.empty());
  if (shm) {
    return as_transport(ShmTransport::connect({.group = config.name,
                                               .members = config.members,
                                               .my_rank = options.my_rank,
                                               .region_bytes = options.region_bytes,
                                               .source_bytes = options.source_bytes,
                                               .memory = options.memory,
                                               .join_timeout_ns = config.join_timeout_ns,
                                               .introduction = options.introduction,
                                               .doorbell = options.doorbell},
                                              examine));
  }
  // Wiped when the members have met.
  std::optional<GroupKey> key;
  if (!config.key_file.empty()) {
    auto read = GroupKey::read(config.key_file);
    if (!read) return std::unexpected(read.error());
    key = std::move(*read);
  }
  const GroupKey* const known_key = key ? &*key : nullptr;
  if (config.transport == "verbs") {
    return as_transport(
        connect_by_verbs({.group = config.name,
                          .members = config.members,
                          .addresses = config.addresses,
                          .join_timeout_ns = config.join_timeout_ns,
                          .introduction = options.introduction,
                          .key = known_key,
                          .transport = {.device = {.device = config.verbs_device,
                                                   .gid_index = config.verbs_gid_index,
                                                   .core = options.core},
                                        .my_rank = options.my_rank,
                                        .region_bytes = options.region_bytes,
                                        .source_bytes = options.source_bytes,
                                        .memory = options.memory}},
                         examine));
  }
  return as_transport(TcpTransport::connect({.group = config.name,
                                             .members = config.members,
                                             .addresses = config.addresses,
                                             .my_rank = options.my_rank,
                                             .region_bytes = options.region_bytes,
                                             .source_bytes = options.source_bytes,
                                             .memory = options.memory,
                                             .join_timeout_ns = config.join_timeout_ns,
                                             .introduction = options.introduction,
                                             .io = tcp_io_of(config.tcp_io),
                                             .key = known_key},
                                            examine));
}

}  // namespace lockstep::transports
