#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "lockstep/lockstep.hpp"
#include "tests/processes/own_network.hpp"
#include "tools/launch/local_addresses.hpp"

namespace lockstep::test {

/// What the members of a test group are connected by. `automatic`: they have addresses and are on
/// one host, so they find that they share memory; mixed_media_test.cpp has those that differ.
enum class Medium : std::uint8_t { shm, automatic, tcp, udp, dpdk, verbs };

inline std::string name_of(Medium medium) {
  switch (medium) {
    case Medium::shm:
      return "shm";
    case Medium::automatic:
      return "auto";
    case Medium::tcp:
      return "tcp";
    case Medium::udp:
      return "udp";
    case Medium::dpdk:
      return "dpdk";
    case Medium::verbs:
      break;
  }
  return "verbs";
}

/// Why `medium` cannot be tested on this machine; empty if it can.
inline std::string missing(Medium medium) {
  std::error_code none;
#ifndef LOCKSTEP_HAS_DPDK
  if (medium == Medium::dpdk) return "built without DPDK (libdpdk-dev)";
#endif
  if (medium == Medium::dpdk && !may_have_own_network()) {
    return "no network of its own, or no packet sockets there (CAP_SYS_ADMIN, CAP_NET_RAW)";
  }
  if (medium != Medium::verbs) return {};
  if (!std::filesystem::is_empty("/sys/class/infiniband", none) && !none) return {};
  return "no RDMA device here (ci/soft-roce runs this in a VM)";
}

/// DPDK over the packet sockets of a loopback device that is this test's alone. Not over memif: its
/// driver (22.11) unmaps in one thread what another writes to when the other end dies.
inline void use_packet_sockets(GroupConfig& config) {
  EXPECT_TRUE(enter_own_network());
  config.dpdk_devices = "net_af_packet0,iface=lo";
}

/// Lets `config`, which names its members, use `medium`. Call it once, before members fork.
inline void connect_by(Medium medium, GroupConfig& config) {
  config.transport = name_of(medium);
  if (medium == Medium::shm) return;
  if (medium == Medium::dpdk) use_packet_sockets(config);
  const auto members = static_cast<std::uint32_t>(config.members.size());
  const std::string family = medium == Medium::automatic ? "tcp" : name_of(medium);
  config.addresses = launch::local_addresses(family, members, {}).value();
}

}  // namespace lockstep::test
