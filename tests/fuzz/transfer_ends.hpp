#pragma once

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <source_location>
#include <vector>

#include "membership/transfer_packet.hpp"
#include "transports/state_channel.hpp"

namespace lockstep::membership {

using Bytes = std::vector<std::byte>;

inline void require(bool condition, std::source_location where = std::source_location::current()) {
  if (condition) return;
  std::fprintf(stderr, "%s:%u: not so (errno %d)\n", where.file_name(), where.line(), errno);
  std::abort();
}

/// What the fuzzer decides, taken byte by byte from its input.
class Choices {
 public:
  explicit Choices(std::span<const std::uint8_t> bytes) noexcept : bytes_(bytes) {}
  [[nodiscard]] bool left() const noexcept { return !bytes_.empty(); }
  template <class T>
  T take() noexcept {
    T value{};
    const std::size_t some = std::min(sizeof value, bytes_.size());
    std::memcpy(&value, bytes_.data(), some);
    bytes_ = bytes_.subspan(some);
    return value;
  }
  Bytes take_bytes(std::size_t most) {
    const auto some = std::as_bytes(bytes_.first(std::min(most, bytes_.size())));
    bytes_ = bytes_.subspan(some.size());
    return {some.begin(), some.end()};
  }

 private:
  std::span<const std::uint8_t> bytes_;
};

/// Makes the checksum right, as a peer that went mad can; the fuzzer cannot guess it.
inline void seal(Bytes& packet) {
  TransferHeader header;
  if (packet.size() < sizeof header) return;
  std::memcpy(&header, packet.data(), sizeof header);
  const std::uint64_t head = XXH3_64bits(&header, offsetof(TransferHeader, checksum));
  header.checksum =
      XXH3_64bits_withSeed(packet.data() + sizeof header, packet.size() - sizeof header, head);
  std::memcpy(packet.data(), &header, sizeof header);
}

/// A packet of any kind, most often one that a correct peer can have said.
inline Bytes any_packet(Choices& choices, TransferId id, std::uint64_t near) {
  TransferHeader header{.kind = static_cast<std::uint16_t>(choices.take<std::uint8_t>() % 6),
                        .flags = static_cast<std::uint16_t>(choices.take<std::uint8_t>() % 4),
                        .cut = id.cut,
                        .joiner = id.joiner};
  const Bytes body = choices.take_bytes(choices.take<std::uint8_t>() % 32);
  header.body_bytes = static_cast<std::uint32_t>(body.size());
  const auto odd = choices.take<std::uint8_t>();
  header.number = (odd & 1U) != 0 ? near + odd / 2 % 32 - 16 : near;
  if (odd == 250) header.cut = choices.take<std::uint64_t>();
  if (odd == 251) header.joiner = choices.take<std::uint64_t>();
  if (odd == 252) header.number = choices.take<std::uint64_t>();
  if (odd == 253) header.body_bytes = choices.take<std::uint32_t>();
  if (header.kind == 3 || header.kind == 4) header.number = 0;
  Bytes packet(sizeof header + body.size());
  std::memcpy(packet.data(), &header, sizeof header);
  std::ranges::copy(body, packet.begin() + sizeof header);
  seal(packet);
  if (odd == 254 && !packet.empty())
    packet[choices.take<std::uint16_t>() % packet.size()] ^= std::byte{1};
  return packet;
}

/// A channel whose other end is the fuzzer.
class FuzzedChannel final : public transports::StateChannel {
 public:
  bool send(std::span<const std::byte> packet) noexcept override {
    require(!packet.empty() && packet.size() <= kMostPacketBytes);
    if (refuses || closed) return false;
    const auto said = decode(packet);
    require(said.has_value());
    ++sent;
    last_number = said->number;
    last_kind = said->kind;
    return true;
  }
  std::span<const std::byte> receive() noexcept override {
    if (waiting.empty()) return {};
    received_ = std::move(waiting.front());
    waiting.pop_front();
    return received_;
  }
  [[nodiscard]] bool open() const noexcept override { return !closed || !waiting.empty(); }

  std::deque<Bytes> waiting;
  bool refuses = false;
  bool closed = false;
  std::uint64_t sent = 0;
  std::uint64_t last_number = 0;
  TransferKind last_kind = TransferKind::chunk;

 private:
  Bytes received_;
};

}  // namespace lockstep::membership
