#pragma once

#include <corosync/cpg.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lockstep/error.hpp"
#include "tools/launch/child.hpp"

namespace lockstep::bench::peers {

/// One node of a corosync cluster on this host, and a client of it in its process group: the
/// daemon in a network namespace, with a /run and a /dev/shm of its own, since it is made to be one
/// a host. The calling thread moves there for good.
class CorosyncNode {
 public:
  /// Enters `network` (a path, as of NetworkNamespace::path), starts the daemon with `folder`'s
  /// corosync.conf and joins; what the daemon says goes to `name`.log in that folder. Errors:
  /// not_supported (there is no daemon, or this process may not mount), timed_out (the daemon did
  /// not serve within 30 s), system.
  static Expected<CorosyncNode> start(const std::string& network, const std::string& folder,
                                      const std::string& name);

  /// Waits until the group has so many members. Errors: timed_out (30 s), system.
  Expected<void> wait_for_members(std::size_t count);

  /// Multicasts a message in agreed order and waits for its own delivery of it. Errors: system.
  Expected<void> deliver_one(const std::vector<char>& payload);

  /// Delivers what others send, for ever; returns when the daemon is gone.
  void follow();

 private:
  /// What the callbacks of libcpg fill in.
  struct Seen {
    std::uint64_t own = 0;
    std::size_t members = 0;
    std::uint32_t node = 0;
    std::uint32_t process = 0;
  };
  static void deliver(cpg_handle_t handle, const cpg_name* group, std::uint32_t node,
                      std::uint32_t process, void* message, std::size_t bytes);
  static void change(cpg_handle_t handle, const cpg_name* group, const cpg_address* members,
                     std::size_t count, const cpg_address* left, std::size_t left_count,
                     const cpg_address* joined, std::size_t joined_count);

  explicit CorosyncNode(launch::Child daemon) : daemon_(std::move(daemon)) {}
  Expected<void> join(const std::string& log);

  /// libcpg hands callbacks no context through cpg_initialize; there is one node a process.
  static Seen seen_;

  launch::Child daemon_;
  cpg_handle_t handle_ = 0;
};

}  // namespace lockstep::bench::peers
