#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "lockstep/config.hpp"
#include "lockstep/error.hpp"
#include "runtime/memory.hpp"
#include "transports/greeter.hpp"
#include "transports/transport.hpp"

namespace lockstep::transports {

/// What connecting needs beside the group's configuration.
struct ConnectOptions {
  std::uint32_t my_rank = 0;
  std::size_t region_bytes = 0;  ///< of one copy
  std::size_t source_bytes = 0;
  runtime::MemoryOptions memory;
  std::string introduction;       ///< for every other member; at most kMaxIntroductionBytes
  std::uint64_t incarnation = 0;  ///< random
  std::int32_t core = -1;         ///< CPU of the reactor, for devices near it; -1: any
  int doorbell = -1;              ///< this reactor's eventfd; stays the caller's
};

/// A transport, and who meets the others for it.
struct Connection {
  std::unique_ptr<Transport> transport;
  std::unique_ptr<Greeter> greeter;  ///< ends before the transport
  bool founds = false;  ///< all founders are here; else a group runs that can be joined
};

/// Opens the medium that `config.transport` names ("auto" is shared memory when no addresses are
/// given, else AutoTransport), and meets the others until the group can be founded, or a running
/// one is found: its links are among what has arrived. Blocks for at most config.join_timeout_ns,
/// on the thread that runs the reactor. Over TCP, UDP, DPDK and verbs members authenticate one
/// another with the key in config.key_file, if there is one. Errors: those of GroupKey::read, of
/// Greeter::gather and of the medium.
Expected<Connection> connect(const GroupConfig& config, const ConnectOptions& options,
                             const Examine& examine);

}  // namespace lockstep::transports
