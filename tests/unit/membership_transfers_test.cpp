#include <gtest/gtest.h>

#include "membership/transfers.hpp"
#include "tests/unit/transfer_stage.hpp"

namespace lockstep::membership {
namespace {

/// Gives nobody a channel, and remembers for whom one was wanted.
struct RememberingDialler final : Dialler {
  void dial_for_state(transports::LinkId link) override { dialled.push_back(link); }
  std::vector<transports::LinkId> dialled;
};

class TransfersTest : public testing::Test {
 protected:
  /// Members have the links of their ranks.
  static ordering::ViewLayout layout(std::uint32_t members) {
    ordering::ViewLayout view;
    view.members = members;
    for (std::uint32_t rank = 0; rank < members; ++rank) {
      view.links.push_back(rank);
      view.nonces.push_back(100 + rank);
    }
    return view;
  }
  bool installed(std::uint64_t view, std::uint64_t stateless, bool has_state) {
    donors_.installed(view, layout(4), stateless);
    return transfers_.installed(view, layout(4), donors_, has_state);
  }

  const std::vector<std::string> names_{"P1", "P2", "P3", "P4"};
  BytesMachine application_{1'000};
  RememberingDialler dialler_;
  Donors donors_;
  Transfers transfers_{application_, dialler_, names_, 2};
};

TEST_F(TransfersTest, AJoinerDialsItsDonorAndKeepsItFromViewToView) {
  EXPECT_TRUE(installed(2, 0b0100, false));
  transfers_.step(1);
  EXPECT_EQ(dialler_.dialled, std::vector<transports::LinkId>{3}) << "the highest that has it";
  EXPECT_FALSE(installed(3, 0b0100, false)) << "as before";
  EXPECT_FALSE(transfers_.waits());
  EXPECT_FALSE(transfers_.failure().has_value());
}

TEST_F(TransfersTest, WhoseDonorIsGoneBeginsAnewWithTheNextThatIsFree) {
  EXPECT_TRUE(installed(2, 0b0100, false));
  ordering::ViewLayout without_donor = layout(3);
  donors_.installed(3, without_donor, 0b100);
  EXPECT_TRUE(transfers_.installed(3, without_donor, donors_, false));
  transfers_.step(1);
  EXPECT_EQ(dialler_.dialled, std::vector<transports::LinkId>{1});
}

TEST_F(TransfersTest, WhoFindsNobodyFreeWaitsForACut) {
  EXPECT_FALSE(installed(2, 0b0111, false)) << "member 3 gives it to member 0";
  EXPECT_TRUE(transfers_.waits());
  transfers_.step(1);
  EXPECT_TRUE(dialler_.dialled.empty());
  EXPECT_EQ(donors_.waiting(), 0b0110U);
  EXPECT_FALSE(donors_.need_a_cut(layout(4), 0b1111, 0b1000)) << "nobody is free yet";
  EXPECT_FALSE(donors_.need_a_cut(layout(4), 0b1001, 0b1001)) << "nobody of these waits";
  EXPECT_TRUE(donors_.need_a_cut(layout(4), 0b1111, 0b1001));
  EXPECT_TRUE(installed(3, 0b0110, false));
  EXPECT_FALSE(transfers_.failure().has_value()) << "it may still come";
}

TEST_F(TransfersTest, ADonorSavesOnceForEachCutAndForOneAtATime) {
  EXPECT_FALSE(installed(2, 0b1001, true));
  EXPECT_EQ(application_.cut, 2U);
  EXPECT_TRUE(transfers_.going());
  EXPECT_EQ(donors_.donations().size(), 2U);
  EXPECT_NE(donors_.donations()[0].from, donors_.donations()[1].from);
  EXPECT_FALSE(installed(3, 0b1001, true));
  EXPECT_EQ(application_.cut, 2U) << "it goes on with the snapshot that it has";
  EXPECT_FALSE(installed(4, 0, true));
  EXPECT_FALSE(transfers_.going()) << "nobody lacks it any more";
}

}  // namespace
}  // namespace lockstep::membership
