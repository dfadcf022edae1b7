#include "tests/unit/transfer_pair.hpp"

namespace lockstep::membership {
namespace {

using DamagedTransfer = TransferPair;

TEST_F(DamagedTransfer, ADamagedChunkIsFetchedAgain) {
  connection_->donor.fault = damage(TransferKind::chunk, 20, 1);
  begin();
  run();
  expect_complete();
  EXPECT_EQ(times_sent(connection_->donor, 19), 1);
  EXPECT_EQ(times_sent(connection_->donor, 20), 2);
  EXPECT_EQ(times_sent(connection_->donor, 20 + ChunkWindow::kChunks), 1);
  const auto repeated = connection_->donor.sent.size() - kChunks;
  EXPECT_LE(repeated, ChunkWindow::kChunks);
  EXPECT_EQ(joiner_.loads, static_cast<int>(kChunks));
}

TEST_F(DamagedTransfer, ALastChunkThatIsDamagedIsFetchedAgain) {
  connection_->donor.fault = damage(TransferKind::chunk, static_cast<int>(kChunks) - 1, 1);
  begin();
  run();
  expect_complete();
  EXPECT_EQ(times_sent(connection_->donor, kChunks - 1), 2);
}

TEST_F(DamagedTransfer, ATruncatedChunkIsFetchedAgain) {
  connection_->donor.fault = [seen = 0](Bytes& packet) mutable {
    if (++seen == 30) packet.resize(packet.size() / 2);
  };
  begin();
  run();
  expect_complete();
  EXPECT_EQ(times_sent(connection_->donor, 29), 2);
}

TEST_F(DamagedTransfer, AMissingChunkIsFetchedAgain) {
  connection_->donor.fault = [seen = 0](Bytes& packet) mutable {
    if (++seen == 30) packet.clear();
  };
  begin();
  run();
  expect_complete();
  EXPECT_EQ(times_sent(connection_->donor, 29), 2);
}

TEST_F(DamagedTransfer, AnAcknowledgementThatIsDamagedIsSaidAgain) {
  for (const int which : {0, 1, 5}) {
    donor_ = BytesMachine(kStateBytes);
    joiner_.whole = false;
    connection_ = std::make_unique<MemoryConnection>();
    connection_->joiner.fault = damage(TransferKind::wanted, which, 1);
    begin();
    run();
    expect_complete();
  }
}

TEST_F(DamagedTransfer, ALastAcknowledgementThatIsDamagedIsSaidAgain) {
  begin();
  connection_->joiner.fault = [&, done = false](Bytes& packet) mutable {
    if (done || !joiner_.whole) return;
    done = true;
    packet[0] ^= std::byte{1};
  };
  run();
  expect_complete();
}

TEST_F(DamagedTransfer, ManyDamagesInOneTransferDoNotEndIt) {
  std::mt19937 random(3);
  const auto fault = [&](Bytes& packet) {
    if (random() % 8 == 0) packet[random() % packet.size()] ^= std::byte{4};
  };
  connection_->donor.fault = fault;
  connection_->joiner.fault = fault;
  begin();
  run();
  expect_complete();
}

TEST_F(DamagedTransfer, AConnectionThatDamagesEverythingIsGivenUp) {
  connection_->donor.fault = damage(TransferKind::chunk, 10, 1'000'000);
  begin();
  run();
  EXPECT_EQ(reception_->state(), Reception::State::failed);
  EXPECT_EQ(reception_->blame(), Reception::Blame::protocol);
  EXPECT_EQ(donation_->state(), Donation::State::failed);
  EXPECT_EQ(donation_->reason(), reception_->reason());
  EXPECT_LE(connection_->joiner.sent.size(), 10 + Reception::kMostRepeats + 2);
}

TEST_F(DamagedTransfer, AJoinerWhoseWordsAreAllDamagedIsGivenUp) {
  connection_->joiner.fault = [](Bytes& packet) { packet[0] ^= std::byte{1}; };
  begin();
  for (int i = 0; i < kManySteps; ++i) step();
  EXPECT_EQ(reception_->state(), Reception::State::failed);
}

// What no correct peer says.

TEST_F(DamagedTransfer, AStateOfAnotherCutOrForAnotherJoinerIsRefused) {
  for (const TransferId other :
       {TransferId{.cut = 8, .joiner = kId.joiner}, TransferId{.cut = 7, .joiner = 1}}) {
    begin();
    connection_ = std::make_unique<MemoryConnection>();
    connection_->joiner.put(
        packet_of({.kind = TransferKind::chunk, .id = other, .last = true, .body = Bytes(10)}));
    reception_->step(connection_->joiner);
    EXPECT_EQ(reception_->state(), Reception::State::failed);
    EXPECT_EQ(reception_->blame(), Reception::Blame::protocol);
    EXPECT_EQ(joiner_.loads, 0);
    connection_->donor.put(packet_of({.kind = TransferKind::wanted, .id = other, .again = true}));
    donation_->step(&connection_->donor);
    EXPECT_EQ(donation_->state(), Donation::State::failed);
  }
}

TEST_F(DamagedTransfer, AnAcknowledgementOfWhatWasNotSentEndsIt) {
  begin();
  connection_->donor.put(packet_of({.kind = TransferKind::wanted, .id = kId, .number = 1}));
  donation_->step(&connection_->donor);
  EXPECT_EQ(donation_->state(), Donation::State::failed);
}

TEST_F(DamagedTransfer, WordsOfTheOtherSideEndIt) {
  begin();
  connection_->donor.put(packet_of({.kind = TransferKind::say_again, .id = kId}));
  donation_->step(&connection_->donor);
  EXPECT_EQ(donation_->state(), Donation::State::failed);
  connection_ = std::make_unique<MemoryConnection>();
  connection_->joiner.put(packet_of({.kind = TransferKind::wanted, .id = kId}));
  reception_->step(connection_->joiner);
  EXPECT_EQ(reception_->state(), Reception::State::failed);
}

TEST_F(DamagedTransfer, ADonorThatNeverSendsTheChunkThatIsWantedIsGivenUp) {
  const Bytes body(10);
  for (const std::uint64_t number : {0U, 5U}) {
    begin();
    connection_ = std::make_unique<MemoryConnection>();
    connection_->joiner.put(packet_of({.kind = TransferKind::chunk, .id = kId, .body = body}));
    int steps = 0;
    for (; steps < 2'000 && reception_->state() == Reception::State::going; ++steps) {
      connection_->joiner.put(
          packet_of({.kind = TransferKind::chunk, .id = kId, .number = number, .body = body}));
      reception_->step(connection_->joiner);
      while (!connection_->donor.receive().empty()) {
      }
    }
    EXPECT_EQ(reception_->state(), Reception::State::failed) << number;
  }
}

TEST_F(DamagedTransfer, AJoinerThatOnlyAsksAgainIsGivenUp) {
  begin();
  int steps = 0;
  for (; steps < 1'000 && donation_->state() == Donation::State::going; ++steps) {
    connection_->donor.put(packet_of({.kind = TransferKind::wanted, .id = kId, .again = true}));
    donation_->step(&connection_->donor);
    while (!connection_->joiner.receive().empty()) {
    }
  }
  EXPECT_EQ(donation_->state(), Donation::State::failed);
  EXPECT_LE(steps, static_cast<int>(Donation::kMostRepeats) + 2);
}

}  // namespace
}  // namespace lockstep::membership
