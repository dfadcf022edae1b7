#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <deque>
#include <optional>
#include <vector>

#include "transports/sim/random.hpp"
#include "transports/verbs/send_queue.hpp"

namespace lockstep::transports {
namespace {

constexpr std::uint32_t kDepth = SendQueue::kLeastDepth;
constexpr std::uint32_t kInline = 128;
constexpr std::uint64_t kLongest = 1'024;

SendQueue queue() {
  SendQueue result({.depth = kDepth,
                    .inline_bytes = kInline,
                    .source_key = 7,
                    .staging_key = 8,
                    .longest_bytes = kLongest,
                    .request_id_base = std::uint64_t{3} << 32U});
  result.set_target(0x10'0000, 99);
  return result;
}

std::vector<const ibv_send_wr*> requests_of(const ibv_send_wr* first) {
  std::vector<const ibv_send_wr*> requests;
  for (; first != nullptr; first = first->next) requests.push_back(first);
  return requests;
}

bool is_signalled(const ibv_send_wr& request) {
  return (request.send_flags & IBV_SEND_SIGNALED) != 0;
}

TEST(SendQueue, GivesOneChainPerFlushInTheOrderOfPosting) {
  SendQueue sends = queue();
  std::array<std::byte, 256> source{};
  const std::span<const std::byte> bytes(source);
  EXPECT_EQ(sends.take_chain(), nullptr);
  ASSERT_TRUE(sends.push_write(64, bytes.first(8), 1));
  ASSERT_TRUE(sends.push_write(0, {}, 2));
  ASSERT_TRUE(sends.push_write(128, bytes, 3));
  const auto requests = requests_of(sends.take_chain());
  ASSERT_EQ(requests.size(), 3U);
  EXPECT_EQ(requests[0]->wr.rdma.remote_addr, 0x10'0000U + 64);
  EXPECT_EQ(requests[0]->wr.rdma.rkey, 99U);
  EXPECT_EQ(requests[1]->num_sge, 0);
  EXPECT_EQ(requests[2]->sg_list->length, 256U);
  EXPECT_EQ(requests[2]->sg_list->lkey, 7U);
  EXPECT_EQ(requests[2]->wr_id, (std::uint64_t{3} << 32U) + 2);
  EXPECT_EQ(sends.counts().work_requests, 3U);
  EXPECT_EQ(sends.counts().chains, 1U);
}

TEST(SendQueue, CopiesSmallSourcesWhenTheyArePosted) {
  SendQueue sends = queue();
  std::uint64_t word = 5;
  ASSERT_TRUE(sends.push_write(0, std::as_bytes(std::span(&word, 1)), 1));
  word = 6;
  const ibv_send_wr* request = sends.take_chain();
  std::uint64_t sent = 0;
  std::memcpy(&sent, reinterpret_cast<const void*>(request->sg_list->addr), sizeof sent);
  EXPECT_EQ(sent, 5U);
  EXPECT_NE(request->send_flags & IBV_SEND_INLINE, 0U);
  EXPECT_EQ(sends.completed(), 1U);
}

TEST(SendQueue, AnInlineSourceIsFreeOnceGivenAndALongOneOnceComplete) {
  SendQueue sends = queue();
  std::array<std::byte, 256> source{};
  const std::span<const std::byte> bytes(source);
  ASSERT_TRUE(sends.push_write(0, bytes.first(kInline), 4));
  EXPECT_EQ(sends.completed(), 0U);
  EXPECT_FALSE(is_signalled(*sends.take_chain()));
  EXPECT_EQ(sends.completed(), 4U);

  ASSERT_TRUE(sends.push_write(0, bytes, 6));
  ASSERT_TRUE(sends.push_write(0, bytes.first(8), 6));
  ASSERT_TRUE(sends.push_write(0, bytes.first(8), 9));
  const auto requests = requests_of(sends.take_chain());
  EXPECT_EQ(sends.completed(), 4U);
  EXPECT_FALSE(is_signalled(*requests[0])) << "the last of the chain speaks for all";
  ASSERT_TRUE(is_signalled(*requests[2]));
  sends.complete(requests[2]->wr_id);
  EXPECT_EQ(sends.completed(), 9U);
  EXPECT_TRUE(sends.idle());
}

TEST(SendQueue, SplitsWhatIsLongerThanTheDeviceTakes) {
  SendQueue sends = queue();
  std::vector<std::byte> source(2 * kLongest + 8);
  ASSERT_TRUE(sends.push_write(512, source, 1));
  const auto requests = requests_of(sends.take_chain());
  ASSERT_EQ(requests.size(), 3U);
  for (std::size_t i = 0; i < requests.size(); ++i) {
    EXPECT_EQ(requests[i]->wr.rdma.remote_addr, 0x10'0000U + 512 + i * kLongest);
    EXPECT_EQ(requests[i]->sg_list->length, i < 2 ? kLongest : 8U);
  }
  for (std::size_t i = 0; i < 2; ++i) {  // the third is small enough to be copied
    EXPECT_EQ(requests[i]->sg_list->addr,
              reinterpret_cast<std::uint64_t>(source.data()) + i * kLongest);
  }
  EXPECT_EQ(sends.completed(), 0U);
}

TEST(SendQueue, ReadsSmallCopiesFromRegisteredMemoryWhereNothingGoesInline) {
  SendQueue sends({.depth = kDepth, .inline_bytes = 0, .longest_bytes = kLongest});
  sends.set_staging_key(8);
  const std::uint64_t word = 5;
  ASSERT_TRUE(sends.push_write(0, std::as_bytes(std::span(&word, 1)), 1));
  const ibv_send_wr* request = sends.take_chain();
  EXPECT_EQ(request->send_flags & IBV_SEND_INLINE, 0U);
  EXPECT_EQ(request->sg_list->lkey, 8U);
  const auto staging = reinterpret_cast<std::uint64_t>(sends.staging().data());
  EXPECT_GE(request->sg_list->addr, staging);
  EXPECT_LT(request->sg_list->addr, staging + sends.staging().size());
}

TEST(SendQueue, AFullQueueAlwaysHasACompletionToCome) {
  SendQueue sends = queue();
  const std::uint64_t word = 5;
  const auto bytes = std::as_bytes(std::span(&word, 1));
  std::uint32_t posted = 0;
  std::optional<std::uint64_t> signalled;
  while (sends.push_write(0, bytes, posted)) {
    ++posted;
    if (!sends.chain_is_full()) continue;
    for (const ibv_send_wr* request : requests_of(sends.take_chain())) {
      if (is_signalled(*request)) signalled = request->wr_id;
    }
  }
  EXPECT_EQ(posted, kDepth);
  EXPECT_LE(sends.counts().signalled, 4U) << "a quarter of the queue each";
  ASSERT_TRUE(signalled);
  sends.complete(*signalled);
  EXPECT_TRUE(sends.push_doorbell());
}

/// A device that completes what it was given, in order and late.
TEST(SendQueue, MarksNeverRunAheadOfTheSourcesInAnyOrderOfEvents) {
  struct Posted {
    std::uint64_t mark;
    std::size_t bytes;
    std::uint64_t last_request;
  };
  SendQueue sends = queue();
  Random random(11);
  std::vector<std::byte> source(4 * kLongest);
  std::deque<Posted> outstanding;
  std::deque<std::uint64_t> signalled;
  std::uint64_t mark = 0;
  std::uint64_t next = 0;
  std::uint64_t given = 0;
  for (int step = 0; step < 200'000; ++step) {
    const std::uint64_t what = random.below(100);
    if (what < 60) {
      constexpr std::array<std::size_t, 6> kSizes{0, 8, kInlineBytes, kInline, kInline + 8, 3'000};
      const std::size_t bytes = kSizes[random.below(kSizes.size())];
      mark += random.below(2);
      if (sends.push_write(0, std::span(source).first(bytes), mark)) {
        next += std::max<std::uint64_t>(1, (bytes + kLongest - 1) / kLongest);
        outstanding.push_back({mark, bytes, next - 1});
      }
    } else if (what < 90) {
      for (const ibv_send_wr* request : requests_of(sends.take_chain())) {
        ++given;
        if (is_signalled(*request)) signalled.push_back(request->wr_id);
      }
    } else if (!signalled.empty()) {
      const std::uint64_t done = signalled.front() & 0xffff'ffffU;
      sends.complete(signalled.front());
      signalled.pop_front();
      while (!outstanding.empty() && outstanding.front().last_request <= done) {
        outstanding.pop_front();
      }
    }
    const auto in_use = std::ranges::find_if(outstanding, [&](const Posted& post) {
      return post.bytes > kInlineBytes && (post.bytes > kInline || post.last_request >= given);
    });
    if (in_use != outstanding.end()) {
      ASSERT_LT(sends.completed(), in_use->mark) << "step " << step;
    } else {
      ASSERT_EQ(sends.completed(), sends.last_mark()) << "step " << step;
    }
  }
  EXPECT_GT(next, 50'000U);
  EXPECT_LT(sends.counts().signalled * 2, sends.counts().work_requests);
}

}  // namespace
}  // namespace lockstep::transports
