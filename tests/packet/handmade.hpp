#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "tests/packet/lossy_wire.hpp"
#include "transports/packet/packet_link.hpp"

namespace lockstep::transports::packet {

inline constexpr LinkSecret kMine{11};
inline constexpr LinkSecret kTheirs{22};
inline constexpr std::size_t kRegionBytes = 64;
inline constexpr std::uint32_t kCredit = 16;

/// A packet of the peer's, made by hand.
inline std::vector<std::byte> made(Head head, std::vector<std::byte> body = {},
                                   std::vector<std::uint64_t> ahead = {},
                                   const LinkSecret& secret = kTheirs) {
  head.sender = 1;
  head.body_bytes = static_cast<std::uint32_t>(body.size());
  head.ahead_words = static_cast<std::uint8_t>(ahead.size());
  const auto bytes = [](const auto& range) { return std::as_bytes(std::span(range)); };
  std::vector<std::byte> packet;
  for (const auto part : {bytes(std::span(&head, 1)), bytes(body), bytes(ahead)}) {
    packet.insert(packet.end(), part.begin(), part.end());
  }
  seal(packet, secret);
  return packet;
}

/// The body that writes `word` to the begin of the first copy.
inline std::vector<std::byte> word_written(std::uint64_t word) {
  const stream::FrameHeader header{.bytes = sizeof word};
  std::vector<std::byte> body(sizeof header + sizeof word);
  std::memcpy(body.data(), &header, sizeof header);
  std::memcpy(body.data() + sizeof header, &word, sizeof word);
  return body;
}

/// One link whose peer is played by a test.
struct LoneLink {
  /// `keys`: if it encrypts.
  explicit LoneLink(const LinkKeys* keys = nullptr)
      : link({.my_rank = 0,
              .mine = kMine,
              .theirs = kTheirs,
              .packet_bytes = 1'024,
              .peer_packet_bytes = 1'024,
              .peer_credit = kCredit,
              .my_credit = kCredit,
              .give_up_ns = 1'000'000'000,
              .region_bytes = kRegionBytes},
             region, keys) {}

  /// Sends `packets` of one word each.
  void talk(int packets) {
    const std::uint64_t word[] = {1};
    for (int i = 0; i < packets; ++i) {
      link.push(0, 0, std::as_bytes(std::span(word)), 1);
      link.send(1'000, wire, false);
    }
  }
  void hear(const std::vector<std::byte>& packet) { link.receive(packet, 2'000); }
  [[nodiscard]] std::uint64_t word() const {
    std::uint64_t first = 0;
    std::memcpy(&first, region.data(), sizeof first);
    return first;
  }

  std::vector<std::byte> region = std::vector<std::byte>(kRegionBytes * kRegionCopies);
  LossyWire wire{WireFaults{}, 1};
  PacketLink link;
};

}  // namespace lockstep::transports::packet
