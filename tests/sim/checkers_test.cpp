#include "tools/sim/checkers.hpp"

#include <gtest/gtest.h>

namespace lockstep::sim {
namespace {

/// A correct history of two members: rank 0 sent messages with hashes 10 and 11, rank 1 one with
/// hash 20; the order is 0/10, 1/20, 0/11 at sequences 0, 1, 2.
Published sent(std::uint32_t member, std::uint64_t id, std::uint64_t hash) {
  return {.at_ns = 100 + id, .member = member, .id = id, .bytes = 8, .hash = hash};
}

Delivered got(std::uint32_t member, std::uint64_t sequence, std::uint32_t sender,
              std::uint64_t hash) {
  return {.at_ns = 1'000 + sequence,
          .member = member,
          .sequence = sequence,
          .sender = sender,
          .timestamp_ns = 50 + sequence,
          .bytes = 8,
          .hash = hash,
          .token = std::nullopt};
}

void expect_text(const Violation& violation, const std::string& text) {
  ASSERT_TRUE(violation.has_value()) << "not seen: " << text;
  EXPECT_NE(violation->find(text), std::string::npos) << *violation;
}

TEST(TotalOrder, AcceptsPrefixesOfOneSequence) {
  TotalOrder checker(2);
  EXPECT_FALSE(checker.delivered(got(0, 0, 0, 10)));
  EXPECT_FALSE(checker.delivered(got(0, 1, 1, 20)));
  EXPECT_FALSE(checker.delivered(got(1, 0, 0, 10)));
  EXPECT_FALSE(checker.delivered(got(1, 1, 1, 20)));
  EXPECT_FALSE(checker.delivered(got(1, 5, 0, 11)));
}

TEST(TotalOrder, SeesTwoMembersInDifferentOrder) {
  TotalOrder checker(2);
  EXPECT_FALSE(checker.delivered(got(0, 0, 0, 10)));
  expect_text(checker.delivered(got(1, 1, 1, 20)),
              "as message 0 rank 1 delivered sequence 1 of sender 1");
}

TEST(TotalOrder, SeesASkippedMessage) {
  TotalOrder checker(2);
  EXPECT_FALSE(checker.delivered(got(0, 0, 0, 10)));
  EXPECT_FALSE(checker.delivered(got(0, 1, 1, 20)));
  EXPECT_FALSE(checker.delivered(got(0, 2, 0, 11)));
  EXPECT_FALSE(checker.delivered(got(1, 0, 0, 10)));
  EXPECT_TRUE(checker.delivered(got(1, 2, 0, 11)));
}

TEST(TotalOrder, SeesDifferentBytesInOnePlace) {
  TotalOrder checker(2);
  EXPECT_FALSE(checker.delivered(got(0, 0, 0, 10)));
  EXPECT_TRUE(checker.delivered(got(1, 0, 0, 99)));
}

TEST(TotalOrder, SeesSequencesThatDoNotGrow) {
  TotalOrder checker(1);
  EXPECT_FALSE(checker.delivered(got(0, 3, 0, 10)));
  expect_text(checker.delivered(got(0, 3, 0, 11)), "delivered sequence 3 after sequence 3");
}

TEST(TotalOrder, SeesTimeStampsThatDisagreeOrRunBack) {
  TotalOrder checker(2);
  EXPECT_FALSE(checker.delivered(got(0, 0, 0, 10)));
  Delivered other_time = got(1, 0, 0, 10);
  other_time.timestamp_ns += 1;
  expect_text(checker.delivered(other_time), "time stamp");
  Delivered backwards = got(0, 1, 1, 20);
  backwards.timestamp_ns = 1;
  expect_text(checker.delivered(backwards), "ran back, from 50 to 1");
}

TEST(Uniformity, AcceptsWhatEveryMemberHolds) {
  const Uniformity checker(3);
  Delivered event = got(0, 0, 0, 10);
  event.holders = 0b111;
  EXPECT_FALSE(checker.delivered(event));
}

TEST(Uniformity, NamesTheMemberThatDoesNotHoldIt) {
  const Uniformity checker(3);
  Delivered event = got(0, 7, 1, 10);
  event.holders = 0b011;
  expect_text(checker.delivered(event),
              "rank 0 delivered sequence 7 of sender 1 while rank 2 does not hold it");
}

class IntegrityTest : public testing::Test {
 protected:
  IntegrityTest() {
    EXPECT_FALSE(checker_.published(sent(0, 0, 10)));
    EXPECT_FALSE(checker_.published(sent(0, 1, 11)));
    EXPECT_FALSE(checker_.published(sent(1, 0, 20)));
  }
  Integrity checker_{2};
};

TEST_F(IntegrityTest, AcceptsEachMessageOnceInOrder) {
  EXPECT_FALSE(checker_.delivered(got(0, 0, 0, 10)));
  EXPECT_FALSE(checker_.delivered(got(0, 1, 1, 20)));
  EXPECT_FALSE(checker_.delivered(got(0, 2, 0, 11)));
  EXPECT_FALSE(checker_.delivered(got(1, 0, 0, 10)));
}

TEST_F(IntegrityTest, SeesAMessageDeliveredTwice) {
  EXPECT_FALSE(checker_.delivered(got(0, 0, 0, 10)));
  expect_text(checker_.delivered(got(0, 2, 0, 10)), "message 0, delivered before");
}

TEST_F(IntegrityTest, SeesAMessageOutOfOrder) {
  expect_text(checker_.delivered(got(0, 0, 0, 11)), "message 1, out of order");
}

TEST_F(IntegrityTest, SeesAMessageThatNobodySent) {
  EXPECT_FALSE(checker_.delivered(got(0, 1, 1, 20)));
  expect_text(checker_.delivered(got(0, 3, 1, 77)), "only 1 were sent");
}

TEST_F(IntegrityTest, SeesAMessageDeliveredBeforeItWasSent) {
  EXPECT_FALSE(checker_.delivered(got(1, 1, 1, 20)));
  EXPECT_TRUE(checker_.delivered(got(1, 3, 1, 21)));
  EXPECT_FALSE(checker_.published(sent(1, 1, 21)));
}

TEST_F(IntegrityTest, SeesChangedBytes) {
  expect_text(checker_.delivered(got(0, 0, 0, 99)), "sent were 8 bytes with hash");
}

TEST_F(IntegrityTest, SeesAChangedLength) {
  Delivered longer = got(0, 0, 0, 10);
  longer.bytes = 16;
  EXPECT_TRUE(checker_.delivered(longer));
}

TEST_F(IntegrityTest, SeesASenderThatIsNoMember) {
  expect_text(checker_.delivered(got(0, 0, 2, 10)), "which is no member");
}

TEST_F(IntegrityTest, SeesTheTokenOfAnotherMessage) {
  Delivered mine = got(0, 0, 0, 10);
  mine.token = 0;
  EXPECT_FALSE(checker_.delivered(mine));
  mine = got(0, 2, 0, 11);
  mine.token = 0;
  expect_text(checker_.delivered(mine), "got token 0 back with its message 1");
}

TEST(Validity, IsCompleteWhenEveryLiveMemberHasEverything) {
  Validity checker(2);
  EXPECT_TRUE(checker.complete());
  checker.published(sent(0, 0, 10));
  EXPECT_FALSE(checker.complete());
  checker.delivered(got(0, 0, 0, 10));
  EXPECT_FALSE(checker.complete());
  checker.delivered(got(1, 0, 0, 10));
  EXPECT_TRUE(checker.complete());
  EXPECT_FALSE(checker.finished(5'000));
}

TEST(Validity, NamesWhatIsMissingWhere) {
  Validity checker(2);
  checker.published(sent(0, 0, 10));
  checker.published(sent(0, 1, 11));
  checker.delivered(got(0, 0, 0, 10));
  checker.delivered(got(0, 2, 0, 11));
  checker.delivered(got(1, 0, 0, 10));
  expect_text(checker.finished(5'000),
              "rank 1 has not delivered message 1 of rank 0, which published 2 messages");
}

TEST(Validity, AsksNothingOfTheCrashed) {
  Validity checker(3);
  checker.published(sent(0, 0, 10));
  checker.published(sent(1, 0, 20));
  checker.crashed(1);
  checker.delivered(got(0, 0, 0, 10));
  EXPECT_FALSE(checker.complete());
  checker.delivered(got(2, 0, 0, 10));
  EXPECT_TRUE(checker.complete());
}

}  // namespace
}  // namespace lockstep::sim
