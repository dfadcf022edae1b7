#pragma once

#include <functional>
#include <string>
#include <vector>

#include "lockstep/error.hpp"
#include "transports/hello/descriptor.hpp"

namespace lockstep::launch {

/// A network of its own (network_namespaces(7)): interfaces, addresses, routes, rules. It has no
/// name and nothing stands for it in a file system: it lives as long as a descriptor, a process or
/// a socket is in it, so nothing stays behind when its owner is killed. Its loopback interface is
/// up.
class NetworkNamespace {
 public:
  /// Makes an empty one. Errors: not_supported (this kernel has none, or this process may not make
  /// one: it needs CAP_SYS_ADMIN), system.
  static Expected<NetworkNamespace> create();

  /// Moves the calling thread into it, for good: the sockets it makes from now on belong here.
  /// Threads and processes that it starts begin here. Makes one system call. Errors: system.
  [[nodiscard]] Expected<void> enter() const;

  /// Runs `body` in a thread of its own inside, and waits for it: for making sockets, or looking
  /// around, without moving. Errors: system; those of `body` are its own affair.
  Expected<void> visit(const std::function<void()>& body) const;

  /// Runs a program, `command[0]`, inside, with `input` as its stdin, and waits for it. It is
  /// looked for where Debian keeps programs for the administrator. Errors: system (it is missing,
  /// or it failed: the message has its stderr), timed_out (after 30 s; it is killed).
  Expected<void> run(const std::vector<std::string>& command, const std::string& input) const;

  /// Runs lines of commands for `ip` (ip-address(8) and its like), all or none of the rest after
  /// the first that fails. Errors: as of run().
  Expected<void> ip(const std::string& lines) const;

  /// Waits until an interface carries packets: up is not enough, the kernel tells it and the switch
  /// behind it a moment later. Errors: timed_out (after 10 s), system.
  Expected<void> wait_until_running(const std::string& interface) const;

  /// The path that stands for it to other programs while this object lives: "ip … netns PATH".
  [[nodiscard]] std::string path() const;

 private:
  explicit NetworkNamespace(int descriptor) : descriptor_(descriptor) {}

  transports::Descriptor descriptor_;
};

}  // namespace lockstep::launch
