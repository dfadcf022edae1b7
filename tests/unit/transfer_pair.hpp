#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>

#include "membership/donation.hpp"
#include "membership/reception.hpp"
#include "tests/unit/transfer_stage.hpp"

namespace lockstep::membership {

inline constexpr TransferId kId{.cut = 7, .joiner = 0xfeed};
inline constexpr std::size_t kStateBytes = (10 << 20) + 12'345;
inline constexpr std::uint64_t kChunks = kStateBytes / kMostChunkBytes + 1;
inline constexpr int kManySteps = 10'000;

/// A donor and a joiner, and the connection between them.
class TransferPair : public testing::Test {
 protected:
  void begin() {
    donation_.emplace(donor_, kId, "P1", "P4");
    reception_.emplace(joiner_, kId, "P1", "P4");
  }
  void step() {
    donation_->step(&connection_->donor);
    if (joiner_steps_) reception_->step(connection_->joiner);
  }
  /// Until neither has anything to do.
  void run() {
    for (int i = 0; i < kManySteps && !(donation_->settled() && reception_->settled()); ++i) step();
  }
  void redial() {
    connection_ = std::make_unique<MemoryConnection>();
    donation_->attach();
    reception_->attach();
  }
  void expect_complete() {
    EXPECT_EQ(donation_->state(), Donation::State::complete) << donation_->reason();
    EXPECT_EQ(reception_->state(), Reception::State::complete) << reception_->reason();
    EXPECT_TRUE(joiner_.whole);
    EXPECT_TRUE(joiner_.state == donor_.state);
  }
  /// Damages the packets in which `kind` travels, from the `from`th on, `times` in a row.
  static MemoryChannel::Fault damage(TransferKind kind, int from, int times) {
    return [=, seen = 0](Bytes& bytes) mutable {
      const auto packet = decode(bytes);
      if (!packet || packet->kind != kind) return;
      if (++seen > from && seen <= from + times) bytes[bytes.size() / 2] ^= std::byte{1};
    };
  }

  BytesMachine donor_{kStateBytes};
  BytesMachine joiner_{1'000, 2};  // of no use any more
  std::optional<Donation> donation_;
  std::optional<Reception> reception_;
  std::unique_ptr<MemoryConnection> connection_ = std::make_unique<MemoryConnection>();
  bool joiner_steps_ = true;
};

}  // namespace lockstep::membership
