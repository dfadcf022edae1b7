#include "tools/launch/partitions.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "runtime/assert.hpp"

namespace lockstep::launch {
namespace {

constexpr int kCouldNotGetInside = 126;
constexpr std::uint8_t kEverything = 100;

template <class... Arguments>
void add(std::string& text, fmt::format_string<Arguments...> format, Arguments&&... arguments) {
  fmt::format_to(std::back_inserter(text), format, std::forward<Arguments>(arguments)...);
}

/// A locally administered hardware address.
std::string hardware_address(std::uint32_t rank) {
  return fmt::format("02:00:00:00:4e:{:02x}", rank + 1);
}

}  // namespace

Partitions::Partitions(NetworkNamespace hub, std::vector<NetworkNamespace> members)
    : hub_(std::move(hub)),
      members_(std::move(members)),
      lost_percent_(members_.size() * members_.size(), 0) {}

Expected<Partitions> Partitions::create(std::uint32_t members) {
  LOCKSTEP_ASSERT(members >= 1);
  LOCKSTEP_ASSERT(members <= kMostMembers);
  auto hub = NetworkNamespace::create();
  if (!hub) return std::unexpected(hub.error());
  std::vector<NetworkNamespace> networks;
  for (std::uint32_t rank = 0; rank < members; ++rank) {
    auto network = NetworkNamespace::create();
    if (!network) return std::unexpected(network.error());
    networks.push_back(std::move(*network));
  }
  Partitions made(std::move(*hub), std::move(networks));
  // The switch only switches: it has no address, and does not ask who listens to which multicast.
  std::string lines = "link add bridge0 type bridge mcast_snooping 0\n";
  for (std::uint32_t rank = 0; rank < members; ++rank) {
    add(lines, "link add port{} type veth peer name link0 address {} netns {}\n", rank,
        hardware_address(rank), made.network_of(rank).path());
    add(lines, "link set port{} master bridge0\n", rank);
  }
  lines += "link set bridge0 up\n";
  if (auto up = made.bring_up(lines); !up) return std::unexpected(up.error());
  return made;
}

/// Does what `hub_lines` say to the switch; then everything is up, and nothing is dropped but what
/// the rules say.
Expected<void> Partitions::bring_up(const std::string& hub_lines) const {
  std::string lines = hub_lines;
  for (std::uint32_t rank = 0; rank < members(); ++rank) add(lines, "link set port{} up\n", rank);
  if (auto done = hub_.ip(lines); !done) return done;
  for (std::uint32_t rank = 0; rank < members(); ++rank) {
    if (auto done = members_[rank].ip(address_lines(rank)); !done) return done;
  }
  // Both ends: until its port runs, the switch loses what a member sends.
  for (std::uint32_t rank = 0; rank < members(); ++rank) {
    if (auto done = hub_.wait_until_running(fmt::format("port{}", rank)); !done) return done;
    if (auto done = members_[rank].wait_until_running("link0"); !done) return done;
  }
  return apply_rules();
}

/// What a member's interface is given when it comes up; taking it down made it forget.
std::string Partitions::address_lines(std::uint32_t rank) const {
  std::string lines = "link set link0 up\n";
  add(lines, "address replace {}/24 dev link0\n", address(rank, IpVersion::v4));
  add(lines, "address replace {}/64 dev link0 nodad\n", address(rank, IpVersion::v6));
  for (std::uint32_t peer = 0; peer < members(); ++peer) {
    if (peer == rank) continue;
    for (const IpVersion version : {IpVersion::v4, IpVersion::v6}) {
      add(lines, "neighbor replace {} lladdr {} dev link0 nud permanent\n", address(peer, version),
          hardware_address(peer));
    }
  }
  return lines;
}

Expected<void> Partitions::apply_rules() const {
  // One transaction: packets meet the old rules or the new ones, never none.
  std::string rules =
      "table bridge partitions {\n"
      "  chain forward { type filter hook forward priority 0; policy accept; }\n"
      "}\n"
      "flush chain bridge partitions forward\n";
  for (std::uint32_t from = 0; from < members(); ++from) {
    for (std::uint32_t to = 0; to < members(); ++to) {
      const unsigned percent = lost_percent_[from * members_.size() + to];
      if (percent == 0) continue;
      add(rules, "add rule bridge partitions forward iifname port{} oifname port{} {} drop\n", from,
          to, percent == kEverything ? "" : fmt::format("numgen random mod 100 < {}", percent));
    }
  }
  return hub_.run({"nft", "-f", "-"}, rules);
}

std::uint8_t& Partitions::lost_percent(std::uint32_t from, std::uint32_t to) {
  LOCKSTEP_ASSERT(from < members());
  LOCKSTEP_ASSERT(to < members());
  LOCKSTEP_ASSERT(from != to);
  return lost_percent_[from * members_.size() + to];
}

std::string Partitions::address(std::uint32_t rank, IpVersion version) const {
  LOCKSTEP_ASSERT(rank < members());
  return version == IpVersion::v4 ? fmt::format("10.78.0.{}", rank + 1)
                                  : fmt::format("fd78::{:x}", rank + 1);
}

Expected<Child> Partitions::start_in(std::uint32_t rank, const std::function<int()>& body) const {
  return Child::start([&] { return network_of(rank).enter() ? body() : kCouldNotGetInside; });
}

const NetworkNamespace& Partitions::network_of(std::uint32_t rank) const {
  LOCKSTEP_ASSERT(rank < members());
  return members_[rank];
}

Expected<void> Partitions::cut(std::uint32_t a, std::uint32_t b) {
  lost_percent(a, b) = kEverything;
  lost_percent(b, a) = kEverything;
  return apply_rules();
}

Expected<void> Partitions::cut_one_way(std::uint32_t from, std::uint32_t to) {
  return lose(from, to, kEverything);
}

Expected<void> Partitions::separate(std::span<const std::uint32_t> side) {
  for (std::uint32_t other = 0; other < members(); ++other) {
    if (std::ranges::find(side, other) != side.end()) continue;
    for (const std::uint32_t rank : side) {
      lost_percent(rank, other) = kEverything;
      lost_percent(other, rank) = kEverything;
    }
  }
  return apply_rules();
}

Expected<void> Partitions::lose(std::uint32_t from, std::uint32_t to, std::uint32_t percent) {
  LOCKSTEP_ASSERT(percent <= kEverything);
  lost_percent(from, to) = static_cast<std::uint8_t>(percent);
  return apply_rules();
}

Expected<void> Partitions::unplug(std::uint32_t rank) {
  LOCKSTEP_ASSERT(rank < members());
  return hub_.ip(fmt::format("link set port{} down\n", rank));
}

Expected<void> Partitions::take_link_down(std::uint32_t rank) {
  return network_of(rank).ip("link set link0 down\n");
}

Expected<void> Partitions::heal() {
  std::ranges::fill(lost_percent_, 0);
  return bring_up("");
}

}  // namespace lockstep::launch
