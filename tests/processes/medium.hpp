#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "lockstep/lockstep.hpp"
#include "tools/launch/local_addresses.hpp"

namespace lockstep::test {

/// What the members of a test group are connected by.
enum class Medium : std::uint8_t { shm, tcp, udp, verbs };

inline std::string name_of(Medium medium) {
  switch (medium) {
    case Medium::shm:
      return "shm";
    case Medium::tcp:
      return "tcp";
    case Medium::udp:
      return "udp";
    case Medium::verbs:
      break;
  }
  return "verbs";
}

/// Why `medium` cannot be tested on this machine; empty if it can.
inline std::string missing(Medium medium) {
  std::error_code none;
  if (medium != Medium::verbs) return {};
  if (!std::filesystem::is_empty("/sys/class/infiniband", none) && !none) return {};
  return "no RDMA device here (ci/soft-roce runs this in a VM)";
}

/// Lets `config`, which names its members, use `medium`. Call it once, before members fork.
inline void connect_by(Medium medium, GroupConfig& config) {
  config.transport = name_of(medium);
  if (medium == Medium::shm) return;
  const auto members = static_cast<std::uint32_t>(config.members.size());
  config.addresses = launch::local_addresses(name_of(medium), members, {}).value();
}

}  // namespace lockstep::test
