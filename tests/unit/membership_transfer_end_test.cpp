#include "tests/unit/transfer_pair.hpp"

namespace lockstep::membership {
namespace {

using EndedTransfer = TransferPair;

TEST_F(EndedTransfer, ADonorGoneAtAnyChunkLeavesTheJoinerToTheNext) {
  for (std::uint64_t chunk = 0; chunk < kChunks; chunk += 7) {
    donor_ = BytesMachine(kStateBytes);
    joiner_.whole = false;
    connection_ = std::make_unique<MemoryConnection>();
    begin();
    while (connection_->donor.sent.size() <= chunk) step();
    connection_->donor.close();
    for (int i = 0; i < kManySteps && reception_->state() == Reception::State::going; ++i) {
      reception_->step(connection_->joiner);
    }
    EXPECT_EQ(reception_->state(), Reception::State::broken);
    EXPECT_GE(reception_->progress().bytes, chunk * kMostChunkBytes) << "what had come is loaded";
    EXPECT_FALSE(joiner_.whole);
    // The next donor begins anew, with the cut of its view.
    BytesMachine other(kStateBytes / 3, 5);
    connection_ = std::make_unique<MemoryConnection>();
    donation_.emplace(other, TransferId{.cut = 8, .joiner = kId.joiner}, "P3", "P4");
    reception_.emplace(joiner_, TransferId{.cut = 8, .joiner = kId.joiner}, "P3", "P4");
    run();
    EXPECT_EQ(reception_->state(), Reception::State::complete);
    EXPECT_TRUE(joiner_.state == other.state);
  }
}

TEST_F(EndedTransfer, AJoinerGoneBreaksTheDonation) {
  begin();
  while (connection_->donor.sent.size() < 40) step();
  connection_->joiner.close();
  for (int i = 0; i < 100; ++i) donation_->step(&connection_->donor);
  EXPECT_EQ(donation_->state(), Donation::State::broken);
  EXPECT_FALSE(donation_->settled()) << "it may dial again";
}

TEST_F(EndedTransfer, RedialledAtAnyChunkItGoesOnWhereItWas) {
  for (std::uint64_t chunk = 0; chunk < kChunks; chunk += 5) {
    donor_ = BytesMachine(kStateBytes);
    joiner_.whole = false;
    joiner_.loads = 0;
    connection_ = std::make_unique<MemoryConnection>();
    begin();
    while (connection_->donor.sent.size() <= chunk) step();
    const bool joiner_hears_the_rest = chunk % 2 == 0;
    connection_->joiner.close();
    for (int i = 0; i < 10; ++i) donation_->step(&connection_->donor);
    for (int i = 0; joiner_hears_the_rest && i < 10; ++i) reception_->step(connection_->joiner);
    redial();
    run();
    expect_complete();
    EXPECT_EQ(joiner_.loads, static_cast<int>(kChunks)) << "each once";
  }
}

TEST_F(EndedTransfer, RedialledWithNothingLeftButTheLastAcknowledgementItIsComplete) {
  begin();
  while (reception_->state() == Reception::State::going) {
    connection_->joiner.refuses = reception_->progress().bytes + 3 * kMostChunkBytes > kStateBytes;
    step();
  }
  EXPECT_EQ(donation_->state(), Donation::State::going);
  redial();
  run();
  expect_complete();
}

TEST_F(EndedTransfer, AJoinerThatBeganAnewCannotBeResumed) {
  begin();
  while (connection_->donor.sent.size() < 40) step();
  reception_.emplace(joiner_, kId, "P1", "P4");
  redial();
  run();
  EXPECT_EQ(donation_->state(), Donation::State::unresumable);
  EXPECT_EQ(reception_->state(), Reception::State::failed);
  EXPECT_EQ(reception_->blame(), Reception::Blame::donor);
  EXPECT_EQ(reception_->reason(), donation_->reason());
}

}  // namespace
}  // namespace lockstep::membership
