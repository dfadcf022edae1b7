#include "tests/unit/transfer_pair.hpp"

namespace lockstep::membership {
namespace {

using Transfer = TransferPair;

TEST_F(Transfer, TheStateArrivesAsItWas) {
  begin();
  EXPECT_EQ(donor_.saves, 1) << "at the beginning of the view";
  EXPECT_EQ(donor_.cut, kId.cut);
  run();
  expect_complete();
  for (std::uint64_t chunk = 0; chunk < kChunks; ++chunk) {
    EXPECT_EQ(times_sent(connection_->donor, chunk), 1) << chunk;
  }
  for (const Bytes& packet : connection_->donor.sent) {
    EXPECT_LE(packet.size(), transports::StateChannel::kMostPacketBytes);
  }
}

TEST_F(Transfer, StatesOfEverySizeAroundAChunkArrive) {
  constexpr std::size_t kChunk = kMostChunkBytes;
  constexpr std::size_t kWindow = ChunkWindow::kChunks * kChunk;
  for (const std::size_t bytes : {std::size_t{0}, std::size_t{1}, kChunk - 1, kChunk, kChunk + 1,
                                  2 * kChunk, kWindow - 1, kWindow, kWindow + 1}) {
    donor_ = BytesMachine(bytes);
    connection_ = std::make_unique<MemoryConnection>();
    begin();
    joiner_.whole = false;
    run();
    expect_complete();
    EXPECT_EQ(reception_->progress().bytes, bytes);
    EXPECT_LE(connection_->donor.sent.size(), bytes / kChunk + 1);
  }
}

TEST_F(Transfer, BothSidesTellHowFarItIs) {
  donor_ = BytesMachine(40 << 20);
  connection_->donor.keep_sent = false;
  begin();
  run();
  expect_complete();
  for (const BytesMachine* side : {&donor_, &joiner_}) {
    ASSERT_EQ(side->reports.size(), 3U);
    std::uint64_t before = 0;
    for (const TransferProgress& report : side->reports) {
      EXPECT_EQ(report.donor, "P1");
      EXPECT_EQ(report.joiner, "P4");
      EXPECT_EQ(report.complete, &report == &side->reports.back());
      EXPECT_GE(report.bytes - before, report.complete ? 0 : TransferReport::kEveryBytes);
      before = report.bytes;
    }
    EXPECT_EQ(before, donor_.state.size());
  }
}

TEST_F(Transfer, ADonorWhoseJoinerDoesNothingSavesNoMoreThanItsWindow) {
  begin();
  for (int i = 0; i < 100; ++i) donation_->step(nullptr);
  constexpr std::size_t kWindow = ChunkWindow::kChunks * kMostChunkBytes;
  EXPECT_EQ(donor_.saved, kWindow);
  EXPECT_EQ(donation_->state(), Donation::State::going);
  const int saves = donor_.saves;
  connection_->joiner.most_waiting = 1'000;
  for (int i = 0; i < 100; ++i) donation_->step(&connection_->donor);
  EXPECT_EQ(connection_->donor.sent.size(), 0U) << "the joiner speaks first";
  EXPECT_EQ(donor_.saves, saves) << "there is no room";
  run();
  expect_complete();
}

TEST_F(Transfer, AStepIsShort) {
  begin();
  connection_->joiner.most_waiting = 1'000;
  connection_->donor.most_waiting = 1'000;
  reception_->step(connection_->joiner);
  while (donation_->state() == Donation::State::going) {
    const std::size_t saved = donor_.saved;
    const std::size_t sent = connection_->donor.sent.size();
    const int loads = joiner_.loads;
    step();
    EXPECT_LE(donor_.saved - saved, Donation::kBytesPerSave);
    EXPECT_LE(connection_->donor.sent.size() - sent, Donation::kChunksPerStep);
    EXPECT_LE(joiner_.loads - loads, static_cast<int>(Reception::kPacketsPerStep));
  }
}

TEST_F(Transfer, ASaveThatWritesNothingIsCalledAgain) {
  donor_.idle_saves = 20;
  begin();
  run();
  expect_complete();
  EXPECT_GT(donor_.saves, 20);
}

TEST_F(Transfer, AChannelThatRefusesIsTriedAgain) {
  begin();
  for (int i = 0; i < kManySteps && !reception_->settled(); ++i) {
    connection_->donor.refuses = i % 3 != 0;
    connection_->joiner.refuses = i % 5 != 0;
    step();
  }
  run();
  expect_complete();
}

// Applications that cannot.

TEST_F(Transfer, ALoadThatFailsEndsItOnBothSides) {
  for (const int piece : {1, 2, 50, static_cast<int>(kChunks)}) {
    donor_ = BytesMachine(kStateBytes);
    joiner_ = BytesMachine();
    joiner_.fail_load_at = piece;
    connection_ = std::make_unique<MemoryConnection>();
    begin();
    run();
    EXPECT_EQ(reception_->state(), Reception::State::failed);
    EXPECT_EQ(reception_->blame(), Reception::Blame::load);
    EXPECT_EQ(reception_->reason(), "not my state");
    EXPECT_EQ(donation_->state(), Donation::State::failed);
    EXPECT_EQ(donation_->reason(), "not my state");
    EXPECT_EQ(joiner_.loads, piece) << "never called again";
  }
}

TEST_F(Transfer, ASaveThatFailsEndsItOnBothSides) {
  for (const int call : {1, 2, 50}) {
    donor_ = BytesMachine(kStateBytes);
    donor_.fail_save_at = call;
    connection_ = std::make_unique<MemoryConnection>();
    begin();
    run();
    EXPECT_EQ(donation_->state(), Donation::State::failed);
    EXPECT_EQ(reception_->state(), Reception::State::failed);
    EXPECT_EQ(reception_->blame(), Reception::Blame::donor);
    EXPECT_EQ(reception_->reason(), "disk on fire");
    EXPECT_EQ(donor_.saves, call) << "never called again";
  }
}

TEST_F(Transfer, AReasonThatCameDamagedIsSaidAgain) {
  donor_.fail_save_at = 3;
  connection_->donor.fault = damage(TransferKind::failed, 0, 1);
  begin();
  run();
  for (int i = 0; i < 10; ++i) step();
  EXPECT_EQ(reception_->reason(), "disk on fire");
}

TEST_F(Transfer, ASaveThatFailedIsToldToAJoinerThatDialsLater) {
  donor_.fail_save_at = 1;
  begin();
  for (int i = 0; i < 10; ++i) donation_->step(nullptr);
  EXPECT_FALSE(donation_->settled());
  run();
  EXPECT_EQ(reception_->reason(), "disk on fire");
}

}  // namespace
}  // namespace lockstep::membership
