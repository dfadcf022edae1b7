#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "runtime/endpoint.hpp"
#include "tools/launch/local_addresses.hpp"
#include "transports/hello/meeting.hpp"
#include "transports/hello/tcp_place.hpp"

namespace lockstep::transports {

/// All that one member has of another when they have met.
struct MetMember {
  std::uint32_t rank = 0;
  std::string parameters;
  Descriptor socket;
  Descriptor life_line;
};

/// What a member has when all have met: its place, too, which others may still dial.
struct Met {
  std::unique_ptr<TcpPlace> place;
  std::unique_ptr<Meeting> meeting;
  std::vector<MetMember> peers;  ///< one per other member, by rank
  std::uint64_t refused = 0;
  std::vector<std::string> notices;
};

/// Members that meet at TCP ports of this host, each in a thread of its own, and strangers.
class MeetingByTcp : public testing::Test {
 protected:
  static constexpr std::uint64_t kSecond = 1'000'000'000;

  explicit MeetingByTcp(const std::string& host = "127.0.0.1")
      : addresses_(launch::local_addresses("tcp", 3, {host}).value()) {}

  static MeetingOptions options(std::uint32_t rank, std::uint32_t members = 2) {
    MeetingOptions options{.group = "hello",
                           .members = {},
                           .my_rank = rank,
                           .medium = Medium::tcp,
                           .region_bytes = 4'096,
                           .timeout_ns = 20 * kSecond,
                           .introduction = fmt::format("I am {}", rank)};
    for (std::uint32_t i = 0; i < members; ++i) options.members.push_back(fmt::format("m{}", i));
    return options;
  }

  /// `key` null: in the clear.
  Expected<Met> meet_as(const MeetingOptions& options, const GroupKey* key = nullptr) const {
    return meet_at(addresses_, options, key);
  }

  static Expected<Met> meet_at(const std::vector<std::string>& addresses,
                               const MeetingOptions& options, const GroupKey* key) {
    Met met;
    met.place = std::make_unique<TcpPlace>(*TcpPlace::make(
        {.group = options.group, .addresses = addresses, .my_rank = options.my_rank, .key = key}));
    std::vector<MetMember> peers(options.members.size());
    MeetingOptions mine = options;
    mine.incarnation = options.my_rank + 1;
    met.meeting = std::make_unique<Meeting>(
        mine, *met.place,
        [my_rank = options.my_rank](std::uint32_t rank, bool /*near*/) {
          return Offer{.parameters = fmt::format("{} to {}", my_rank, rank), .descriptors = {}};
        },
        [](std::uint32_t rank, const std::string& introduction) -> Expected<void> {
          if (introduction == fmt::format("I am {}", rank)) return {};
          return fail(ErrorCode::mismatch, "what an introduction!");
        },
        [&](MetPeer&& peer) -> Expected<void> {
          MetMember& kept = peers[peer.rank];
          if (peer.purpose == Purpose::life_line) kept.life_line = std::move(peer.socket);
          if (peer.purpose != Purpose::link) return {};
          kept.rank = peer.rank;
          kept.parameters = std::move(peer.parameters);
          kept.socket = std::move(peer.socket);
          return {};
        });
    if (auto opened = met.meeting->open(); !opened) return std::unexpected(opened.error());
    if (auto gathered = met.meeting->gather(); !gathered) return std::unexpected(gathered.error());
    peers.erase(peers.begin() + options.my_rank);
    met.peers = std::move(peers);
    met.refused = met.meeting->refused();
    met.notices = met.meeting->notices();
    return met;
  }

  /// Three members meet, each in a thread of its own, and hand over what their medium must know.
  std::array<Expected<Met>, 3> meet_three(const GroupKey* key = nullptr) const {
    std::array<Expected<Met>, 3> met;
    std::vector<std::thread> members;
    for (std::uint32_t rank = 0; rank < 3; ++rank) {
      members.emplace_back([&, rank] { met[rank] = meet_as(options(rank, 3), key); });
    }
    for (std::thread& member : members) member.join();
    for (std::uint32_t rank = 0; rank < 3; ++rank) {
      EXPECT_TRUE(met[rank]) << met[rank].error().message;
      if (!met[rank]) continue;
      EXPECT_EQ(met[rank]->peers.size(), 2u);
      for (const MetMember& peer : met[rank]->peers) {
        EXPECT_EQ(peer.parameters, fmt::format("{} to {}", peer.rank, rank));
      }
    }
    return met;
  }

  /// A connection to the place of `rank`, once somebody listens there.
  Descriptor stranger_at(std::uint32_t rank) const {
    const auto endpoint = runtime::parse_endpoint(addresses_[rank]);
    for (int attempt = 0; attempt < 2'000; ++attempt) {
      Descriptor socket(::socket(endpoint->family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
      if (::connect(socket.get(), endpoint->generic(), endpoint->length) == 0) return socket;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return Descriptor();
  }

  std::vector<std::string> addresses_;
};

}  // namespace lockstep::transports
