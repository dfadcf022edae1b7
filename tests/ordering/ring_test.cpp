#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "ordering/frame.hpp"
#include "ordering/ring_reader.hpp"
#include "ordering/ring_writer.hpp"

namespace lockstep::ordering {
namespace {

constexpr std::size_t kRing = 4'096;
constexpr std::uint64_t kNonce = 0x1234'5678'9abc'def0;

struct alignas(64) Memory {
  std::array<std::byte, kRing> bytes{};
};

std::string_view text(const FrameRef& frame) {
  return {reinterpret_cast<const char*>(frame.payload), frame.payload_bytes()};
}

class Ring : public ::testing::Test {
 protected:
  bool put(std::string_view payload, std::uint32_t nulls = 0) {
    std::byte* place = writer_.claim(payload.size());
    if (place == nullptr) return false;
    std::memcpy(place, payload.data(), payload.size());
    writer_.publish(sequence_ * 10, nulls, sequence_);
    ++sequence_;
    return true;
  }
  void free_all() { writer_.reclaim(sequence_, writer_.head()); }

  Memory memory_;
  RingWriter writer_{memory_.bytes, kNonce, false};
  RingReader reader_{memory_.bytes, kNonce, Trust::marker_last};
  std::uint64_t sequence_ = 0;
};

TEST_F(Ring, ReadsWhatWasWritten) {
  ASSERT_TRUE(put("hello", 3));
  FrameRef frame;
  ASSERT_EQ(reader_.read(0, frame), Read::frame);
  EXPECT_EQ(text(frame), "hello");
  EXPECT_EQ(frame.nulls_before, 3u);
  EXPECT_FALSE(frame.pad());
  EXPECT_EQ(frame.next_position, frame_bytes(5));
  EXPECT_EQ(reader_.read(frame.next_position, frame), Read::nothing);
}

TEST_F(Ring, SixtyFourBytesTakeNinetySix) { EXPECT_EQ(frame_bytes(64), 96u); }

TEST_F(Ring, EmptyPayloadIsAFrame) {
  ASSERT_TRUE(put(""));
  FrameRef frame;
  ASSERT_EQ(reader_.read(0, frame), Read::frame);
  EXPECT_EQ(frame.payload_bytes(), 0u);
}

TEST_F(Ring, FramesNeverStraddleTheEndAndSurviveManyLaps) {
  std::mt19937_64 random(7);
  std::uint64_t position = 0;
  for (int i = 0; i < 20'000; ++i) {
    const std::string payload(random() % (max_payload_bytes(kRing) + 1), static_cast<char>(i));
    ASSERT_TRUE(put(payload)) << i;
    FrameRef frame;
    ASSERT_EQ(reader_.read(position, frame), Read::frame);
    if (frame.pad()) {
      EXPECT_EQ(frame.next_position % kRing, 0u);
      position = frame.next_position;
      ASSERT_EQ(reader_.read(position, frame), Read::frame);
    }
    ASSERT_EQ(text(frame), payload);
    position = frame.next_position;
    // An older lap's bytes lie here: they must not look like the next frame.
    ASSERT_EQ(reader_.read(position, frame), Read::nothing);
    free_all();
  }
}

TEST_F(Ring, FullRingRefusesUntilReclaimed) {
  int frames = 0;
  while (put("0123456789")) ++frames;
  EXPECT_EQ(frames, static_cast<int>(kRing / frame_bytes(10)));
  writer_.reclaim(0, writer_.head());
  EXPECT_FALSE(put("x")) << "nothing was delivered";
  writer_.reclaim(sequence_, 0);
  EXPECT_FALSE(put("x")) << "nothing has left the source";
  writer_.reclaim(static_cast<std::uint64_t>(frames) / 2, writer_.head());
  EXPECT_TRUE(put("x"));
  int more = 1;
  while (put("0123456789")) ++more;
  EXPECT_LE(more, frames / 2 + 1) << "frames not delivered were overwritten";
}

TEST_F(Ring, APadAfterTheLastFrameIsNotReclaimed) {
  // Readers step over it only on the way to the next frame; seed 3 of the simulation overwrote it.
  ASSERT_TRUE(put(std::string(max_payload_bytes(kRing), 'a')));
  ASSERT_TRUE(put(std::string(max_payload_bytes(kRing) - 256, 'b')));
  const std::uint64_t frames_end = writer_.head();
  ASSERT_EQ(writer_.claim(512), nullptr);
  free_all();
  ASSERT_NE(writer_.claim(512), nullptr);
  ASSERT_EQ(writer_.head(), kRing) << "the claim should have padded";
  free_all();
  EXPECT_EQ(writer_.tail(), frames_end);
}

TEST_F(Ring, HalfARingFitsWhateverWasBefore) {
  for (int lap = 0; lap < 300; ++lap) {
    ASSERT_TRUE(put(std::string(static_cast<std::size_t>(lap) * 7 % 1'000, 'a')));
    free_all();
    ASSERT_TRUE(put(std::string(max_payload_bytes(kRing), 'b'))) << lap;
    free_all();
  }
}

TEST_F(Ring, AnotherEpochsFramesDoNotMatch) {
  ASSERT_TRUE(put("old"));
  const RingReader next_epoch(memory_.bytes, kNonce + 1, Trust::marker_last);
  FrameRef frame;
  EXPECT_EQ(next_epoch.read(0, frame), Read::nothing);
}

TEST_F(Ring, LongRunsOfNullsAreCountedByPads) {
  ASSERT_TRUE(writer_.pass_over_nulls());
  ASSERT_TRUE(put("after", 5));
  FrameRef frame;
  ASSERT_EQ(reader_.read(0, frame), Read::frame);
  EXPECT_TRUE(frame.pad());
  EXPECT_EQ(frame.nulls_before, kMaxNullRun);
  ASSERT_EQ(reader_.read(frame.next_position, frame), Read::frame);
  EXPECT_EQ(text(frame), "after");
}

TEST_F(Ring, TailTellsThatAscendingBytesHaveAllArrived) {
  ASSERT_TRUE(put(std::string(200, 'z')));
  const RingReader careful(memory_.bytes, kNonce, Trust::tail_last);
  const std::size_t bytes = frame_bytes(200);
  Memory partial;
  for (std::size_t seen = 8; seen < bytes; seen += 8) {
    std::memcpy(partial.bytes.data(), memory_.bytes.data(), seen);
    const RingReader reader(partial.bytes, kNonce, Trust::tail_last);
    FrameRef frame;
    ASSERT_EQ(reader.read(0, frame), Read::nothing) << seen;
  }
  FrameRef frame;
  EXPECT_EQ(careful.read(0, frame), Read::frame);
}

TEST(ChecksummedRing, MissingWordsAreSeenWhereverTheyAre) {
  Memory memory;
  RingWriter writer(memory.bytes, kNonce, true);
  std::byte* place = writer.claim(120);
  for (std::size_t i = 0; i < 120; ++i) place[i] = static_cast<std::byte>(i + 1);
  writer.publish(1, 0, 0);
  const RingReader whole(memory.bytes, kNonce, Trust::checksum);
  FrameRef frame;
  ASSERT_EQ(whole.read(0, frame), Read::frame);
  for (std::size_t missing = 0; missing < frame_bytes(120); missing += 8) {
    if (missing == sizeof(FrameHeader) + 120) continue;  // padding before the tail
    Memory torn = memory;
    // The word is still what an older lap left there.
    std::memset(torn.bytes.data() + missing, 0x5a, 8);
    const RingReader reader(torn.bytes, kNonce, Trust::checksum);
    EXPECT_EQ(reader.read(0, frame), Read::nothing) << missing;
  }
}

TEST(HostileRing, RandomBytesBehindAGoodMarkerNeverLeadOutside) {
  std::mt19937_64 random(11);
  for (const Trust trust : {Trust::marker_last, Trust::tail_last, Trust::checksum}) {
    for (int i = 0; i < 100'000; ++i) {
      Memory memory;
      const std::uint64_t position = (random() % 1'000'000) * kFrameAlignment;
      std::byte* place = memory.bytes.data() + position % kRing;
      FrameHeader header{header_marker(position, kNonce), random(),
                         static_cast<std::uint32_t>(random() >> (random() % 32)),
                         static_cast<std::uint32_t>(random())};
      std::memcpy(place, &header, sizeof header);
      const RingReader reader(memory.bytes, kNonce, trust);
      FrameRef frame;
      const Read read = reader.read(position, frame);
      // No tail was written, so nothing may be believed; and where it can be told, it is.
      ASSERT_EQ(read, trust == Trust::marker_last ? Read::malformed : Read::nothing);
    }
  }
}

}  // namespace
}  // namespace lockstep::ordering
