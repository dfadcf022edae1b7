#include <sys/socket.h>

#include <array>
#include <utility>

#include "tests/unit/transfer_pair.hpp"
#include "transports/hello/socket_channel.hpp"

namespace lockstep::membership {
namespace {

using transports::Descriptor;
using transports::SocketChannel;

/// A donor and a joiner with a unix socket between them, of either type.
class SocketTransfer : public TransferPair, public testing::WithParamInterface<int> {
 protected:
  SocketTransfer() { dial(); }

  void dial() {
    std::array<int, 2> ends{};
    ASSERT_EQ(::socketpair(AF_UNIX, GetParam() | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()), 0);
    to_joiner_ = std::move(*SocketChannel::create(Descriptor(ends[0])));
    to_donor_ = std::move(*SocketChannel::create(Descriptor(ends[1])));
  }
  void step_both() {
    donation_->step(to_joiner_.get());
    if (to_donor_) reception_->step(*to_donor_);
  }
  void run_both() {
    for (int i = 0; i < kManySteps && !(donation_->settled() && reception_->settled()); ++i) {
      step_both();
    }
  }

  std::unique_ptr<SocketChannel> to_joiner_;
  std::unique_ptr<SocketChannel> to_donor_;
};

TEST_P(SocketTransfer, TheStateArrivesAsItWas) {
  begin();
  run_both();
  expect_complete();
}

TEST_P(SocketTransfer, RedialledItGoesOnWhereItWas) {
  begin();
  for (int dials = 0; dials < 5; ++dials) {
    for (int i = 0; i < 10; ++i) step_both();
    to_donor_.reset();
    for (int i = 0; i < 3; ++i) step_both();
    EXPECT_EQ(donation_->state(), Donation::State::broken);
    dial();
    donation_->attach();
    reception_->attach();
  }
  run_both();
  expect_complete();
  EXPECT_EQ(joiner_.loads, static_cast<int>(kChunks)) << "each once";
}

TEST_P(SocketTransfer, ADonorGoneIsNoticed) {
  begin();
  for (int i = 0; i < 10; ++i) step_both();
  to_joiner_.reset();
  for (int i = 0; i < kManySteps && reception_->state() == Reception::State::going; ++i) {
    reception_->step(*to_donor_);
  }
  EXPECT_EQ(reception_->state(), Reception::State::broken);
}

INSTANTIATE_TEST_SUITE_P(Over, SocketTransfer, testing::Values(SOCK_STREAM, SOCK_SEQPACKET),
                         [](const auto& type) {
                           return type.param == SOCK_STREAM ? "UnixStream" : "UnixPackets";
                         });

}  // namespace
}  // namespace lockstep::membership
