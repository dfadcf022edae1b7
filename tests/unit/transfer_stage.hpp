#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "lockstep/state_machine.hpp"
#include "membership/transfer_packet.hpp"
#include "transports/state_channel.hpp"

namespace lockstep::membership {

using Bytes = std::vector<std::byte>;

/// One end of a channel in memory. It loses nothing unless a test says so.
class MemoryChannel final : public transports::StateChannel {
 public:
  /// What happens to a packet on its way; an empty one is lost.
  using Fault = std::function<void(Bytes& packet)>;

  bool send(std::span<const std::byte> packet) noexcept override {
    if (closed_ || peer_->closed_ || refuses || peer_->waiting_.size() >= most_waiting)
      return false;
    sent.emplace_back(packet.begin(), packet.end());
    Bytes copy = sent.back();
    if (!keep_sent) sent.pop_back();
    if (fault) fault(copy);
    if (!copy.empty()) peer_->waiting_.push_back(std::move(copy));
    return true;
  }
  std::span<const std::byte> receive() noexcept override {
    if (waiting_.empty()) return {};
    received_ = std::move(waiting_.front());
    waiting_.pop_front();
    return received_;
  }
  [[nodiscard]] bool open() const noexcept override {
    return !waiting_.empty() || (!closed_ && !peer_->closed_);
  }

  void connect(MemoryChannel& peer) noexcept {
    peer_ = &peer;
    peer.peer_ = this;
  }
  void close() noexcept { closed_ = true; }
  void put(Bytes packet) { waiting_.push_back(std::move(packet)); }
  [[nodiscard]] std::size_t waiting() const noexcept { return waiting_.size(); }

  Fault fault;
  bool refuses = false;
  std::size_t most_waiting = 4;
  bool keep_sent = true;
  std::vector<Bytes> sent;

 private:
  MemoryChannel* peer_ = nullptr;
  std::deque<Bytes> waiting_;
  Bytes received_;
  bool closed_ = false;
};

/// A connection: two ends.
struct MemoryConnection {
  MemoryConnection() { donor.connect(joiner); }
  MemoryChannel donor;
  MemoryChannel joiner;
};

/// Pseudo-random bytes as a state, given in odd pieces, or taken.
class BytesMachine final : public StateMachine {
 public:
  BytesMachine() = default;
  explicit BytesMachine(std::size_t bytes, std::uint64_t seed = 1) : random_(seed) {
    std::vector<std::uint64_t> words(bytes / sizeof(std::uint64_t) + 1);
    std::ranges::generate(words, std::mt19937_64(seed));
    const auto filling = std::as_bytes(std::span(words)).first(bytes);
    state.assign(filling.begin(), filling.end());
  }

  void apply(const Message&) override {}

  bool save(SnapshotWriter& writer) override {
    if (writer.first()) {
      saves = 0;
      saved = 0;
    }
    EXPECT_EQ(writer.first(), ++saves == 1);
    cut = writer.cut();
    if (saves == fail_save_at) {
      writer.fail("disk on fire");
      return true;
    }
    if (idle_saves > 0) {
      --idle_saves;
      return false;
    }
    while (writer.room() > 0 && saved < state.size()) {
      const std::size_t some = std::min(1 + random_() % 100'000, state.size() - saved);
      const std::size_t room = writer.room();
      const std::size_t taken = writer.write(std::span(state).subspan(saved, some));
      EXPECT_EQ(taken, std::min(some, room));
      saved += taken;
      if (random_() % 4 == 0) break;
    }
    return saved == state.size();
  }

  void load(SnapshotReader& reader) override {
    ++loads;
    if (loads == fail_load_at) return reader.fail("not my state");
    if (reader.first()) state.clear();
    state.insert(state.end(), reader.bytes().begin(), reader.bytes().end());
    EXPECT_FALSE(whole);
    whole = reader.last();
  }

  void transfer_progressed(const TransferProgress& progress) override {
    reports.push_back(progress);
  }

  Bytes state;
  std::size_t saved = 0;
  int saves = 0;
  int loads = 0;
  int fail_save_at = 0;
  int fail_load_at = 0;
  int idle_saves = 0;
  std::uint64_t cut = 0;
  bool whole = false;
  std::vector<TransferProgress> reports;

 private:
  std::mt19937_64 random_{1};
};

inline Bytes packet_of(const TransferPacket& packet) {
  Bytes place(sizeof(TransferHeader) + packet.body.size());
  encode(packet, place);
  return place;
}

/// How often `channel` sent this chunk.
inline auto times_sent(const MemoryChannel& channel, std::uint64_t number) {
  return std::ranges::count_if(channel.sent, [&](const Bytes& bytes) {
    const auto packet = decode(bytes);
    return packet && packet->kind == TransferKind::chunk && packet->number == number;
  });
}

}  // namespace lockstep::membership
