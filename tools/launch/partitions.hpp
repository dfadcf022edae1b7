#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "lockstep/error.hpp"
#include "tools/launch/child.hpp"
#include "tools/launch/network_namespace.hpp"

namespace lockstep::launch {

enum class IpVersion : std::uint8_t { v4, v6 };

/// A network of members that somebody breaks and heals.
///
///     member 0: link0 ══ port0 ╮
///     member 1: link0 ══ port1 ┼ bridge, where the rules that drop packets are
///     member 2: link0 ══ port2 ╯
///
/// Every member is alone in a network namespace with a loopback interface and one virtual cable
/// (veth) to a switch in a namespace of its own; nothing of it is in the namespace of its maker.
/// Cuts and losses are rules of the switch: a sender notices nothing, as on a real network. Since
/// neighbours know each other's hardware addresses beforehand, no cut is made total, and no healing
/// delayed, by an address resolution that fails.
///
/// Everything vanishes with this object and the processes and sockets inside, or with the process,
/// however it ends. Not thread-safe. Calls fork, block for some milliseconds and may be called
/// while members send.
class Partitions {
 public:
  static constexpr std::uint32_t kMostMembers = 64;

  /// Makes a whole network of 1 … kMostMembers members. Errors: not_supported (the platform allows
  /// no network namespaces), system (`ip` or `nft` is missing or failed).
  static Expected<Partitions> create(std::uint32_t members);

  [[nodiscard]] std::uint32_t members() const noexcept {
    return static_cast<std::uint32_t>(members_.size());
  }

  /// The address of a member, for people and configurations: "10.78.0.1", "fd78::1".
  [[nodiscard]] std::string address(std::uint32_t rank, IpVersion version = IpVersion::v4) const;

  /// Runs `body` in a child process inside the network of `rank`; see Child::start. The exit code
  /// is 126 if it could not get inside.
  Expected<Child> start_in(std::uint32_t rank, const std::function<int()>& body) const;

  /// The network of a member, to put a thread, a socket or a program there.
  [[nodiscard]] const NetworkNamespace& network_of(std::uint32_t rank) const;

  /// From now on nothing passes between a and b. Other links are as they were.
  Expected<void> cut(std::uint32_t a, std::uint32_t b);
  /// Nothing passes from `from` to `to`; the way back is as it was.
  Expected<void> cut_one_way(std::uint32_t from, std::uint32_t to);
  /// Nothing passes between the members of `side` and the others; within each side all is as it
  /// was.
  Expected<void> separate(std::span<const std::uint32_t> side);
  /// Of the packets from `from` to `to` each is lost with this probability, 0 … 100; replaces what
  /// was said about this link and way before.
  Expected<void> lose(std::uint32_t from, std::uint32_t to, std::uint32_t percent);

  /// Pulls the member's cable out of the switch: its interface reports that the carrier is lost.
  Expected<void> unplug(std::uint32_t rank);
  /// Takes the member's interface down, as an administrator would: sending fails at once.
  Expected<void> take_link_down(std::uint32_t rank);

  /// The whole network again, whatever was done to it: what is sent after the call arrives.
  Expected<void> heal();

 private:
  Partitions(NetworkNamespace hub, std::vector<NetworkNamespace> members);
  [[nodiscard]] std::string address_lines(std::uint32_t rank) const;
  [[nodiscard]] std::uint8_t& lost_percent(std::uint32_t from, std::uint32_t to);
  [[nodiscard]] Expected<void> bring_up(const std::string& hub_lines) const;
  [[nodiscard]] Expected<void> apply_rules() const;

  NetworkNamespace hub_;
  std::vector<NetworkNamespace> members_;
  std::vector<std::uint8_t> lost_percent_;  ///< at from × members + to; 100 is a cut
};

}  // namespace lockstep::launch
