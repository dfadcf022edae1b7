#include "transports/verbs/gid_choice.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

namespace lockstep::transports {
namespace {

Gid gid_of(const ibv_gid_entry& entry) {
  Gid gid{};
  std::memcpy(gid.data(), entry.gid.raw, gid.size());
  return gid;
}

in6_addr as_ipv6(const Gid& gid) {
  in6_addr address{};
  std::memcpy(&address, gid.data(), gid.size());
  return address;
}

bool is_link_local(const Gid& gid) {
  const in6_addr address = as_ipv6(gid);
  return IN6_IS_ADDR_LINKLOCAL(&address) != 0;
}

const char* type_of(const ibv_gid_entry& entry) {
  switch (entry.gid_type) {
    case IBV_GID_TYPE_IB:
      return "InfiniBand";
    case IBV_GID_TYPE_ROCE_V1:
      return "RoCE v1";
    case IBV_GID_TYPE_ROCE_V2:
      return "RoCE v2";
    default:
      return "of another kind";
  }
}

std::string contents_of(std::span<const ibv_gid_entry> table) {
  std::string text;
  for (const ibv_gid_entry& entry : table) {
    text += fmt::format("{}{} is {} ({})", text.empty() ? "" : ", ", entry.gid_index,
                        text_of(gid_of(entry)), type_of(entry));
  }
  return text.empty() ? "it has none: give its network interface an address (ip addr add)" : text;
}

}  // namespace

Expected<Gid> gid_of_address(const std::string& address) {
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST;
  addrinfo* found = nullptr;
  if (const int error = ::getaddrinfo(address.c_str(), nullptr, &hints, &found); error != 0) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("'{}' is no IPv4 or IPv6 address ({}); write the address of the RDMA "
                            "device, not a host name",
                            address, ::gai_strerror(error)));
  }
  Gid gid{};
  if (found->ai_family == AF_INET6) {
    const auto* ipv6 = reinterpret_cast<const sockaddr_in6*>(found->ai_addr);
    std::memcpy(gid.data(), &ipv6->sin6_addr, gid.size());
  } else {
    const auto* ipv4 = reinterpret_cast<const sockaddr_in*>(found->ai_addr);
    gid[10] = gid[11] = 0xff;
    std::memcpy(gid.data() + 12, &ipv4->sin_addr, sizeof ipv4->sin_addr);
  }
  ::freeaddrinfo(found);
  return gid;
}

std::string text_of(const Gid& gid) {
  const in6_addr address = as_ipv6(gid);
  char text[INET6_ADDRSTRLEN] = "";
  if (IN6_IS_ADDR_V4MAPPED(&address)) {
    ::inet_ntop(AF_INET, gid.data() + 12, text, sizeof text);
  } else {
    ::inet_ntop(AF_INET6, gid.data(), text, sizeof text);
  }
  return text;
}

Expected<ibv_gid_entry> choose_gid(std::span<const ibv_gid_entry> table, int index,
                                   const std::optional<Gid>& wanted, const std::string& device) {
  const auto is_version_2 = [](const ibv_gid_entry& entry) {
    return entry.gid_type == IBV_GID_TYPE_ROCE_V2;
  };
  if (index >= 0) {
    const auto entry =
        std::ranges::find(table, static_cast<std::uint32_t>(index), &ibv_gid_entry::gid_index);
    if (entry != table.end() && is_version_2(*entry)) return *entry;
    return fail(ErrorCode::invalid_argument,
                fmt::format("GID index {} of {} is no RoCE v2 address; its GIDs: {}", index, device,
                            contents_of(table)));
  }
  const ibv_gid_entry* best = nullptr;
  for (const ibv_gid_entry& entry : table) {
    if (!is_version_2(entry)) continue;
    const Gid gid = gid_of(entry);
    if (wanted && gid == *wanted) return entry;
    const bool better = best == nullptr || (is_link_local(gid_of(*best)) && !is_link_local(gid));
    if (!wanted && better) best = &entry;
  }
  if (best != nullptr) return *best;
  return fail(ErrorCode::configuration,
              fmt::format("{} has no RoCE v2 GID{}; its GIDs: {}", device,
                          wanted ? " for " + text_of(*wanted) : "", contents_of(table)));
}

}  // namespace lockstep::transports
