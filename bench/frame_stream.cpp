#include "bench/frame_stream.hpp"

#include <algorithm>
#include <utility>

#include "bench/floor_stream.hpp"

namespace lockstep::bench {
namespace {

/// Frames per turn between writing and reading.
constexpr int kBurst = 32;
/// FrameWire takes no shorter frames.
constexpr std::size_t kLeastBytes = 2;

}  // namespace

FrameStream::FrameStream(Session& session, std::uint32_t rank)
    : session_(session),
      rank_(rank),
      message_bytes_(std::max<std::uint64_t>(session.plan.options.payload_bytes, kLeastBytes)),
      messages_(stream_block_messages(message_bytes_)),
      patience_(session.clock, session.floor_gives_way()),
      meeting_(session, session.floor_gives_way()) {}

Expected<void> FrameStream::open() {
  if (wire_) return {};
  auto wire = FrameWire::open(session_, rank_, "stream");
  if (!wire) return std::unexpected(wire.error());
  wire_.emplace(std::move(*wire));
  return {};
}

Expected<StreamFloor::Block> FrameStream::run() {
  if (auto opened = open(); !opened) return std::unexpected(opened.error());
  const bool both_ways = session_.plan.senders > 1;
  const std::uint64_t bytes = messages_ * message_bytes_;
  to_send_ = both_ways || rank_ == 0 ? bytes : 0;
  to_receive_ = both_ways || rank_ == 1 ? bytes : 0;
  if (auto met = meeting_.meet(); !met) return std::unexpected(met.error());
  const std::uint64_t start_ns = session_.clock.now_ns();
  patience_.renew();
  for (bool gone = true; to_send_ + to_receive_ > 0 || !gone;) {
    const bool wrote = produce();
    gone = wire_->submit();
    const bool read = consume();
    if (wrote || read) {
      patience_.renew();
    } else if (!patience_.wait()) {
      return silent_pair();
    }
  }
  if (auto met = meeting_.meet(); !met) return std::unexpected(met.error());
  return Block{messages_ * (both_ways ? 2 : 1), session_.clock.now_ns() - start_ns};
}

bool FrameStream::produce() {
  const std::size_t most = wire_->most_bytes();
  const std::size_t whole = most / message_bytes_ * message_bytes_;
  int frames = 0;
  for (; frames < kBurst && to_send_ > 0; ++frames) {
    std::size_t bytes = std::min<std::uint64_t>(to_send_, whole == 0 ? most : whole);
    if (to_send_ - bytes == 1) --bytes;
    std::byte* const frame = wire_->collect(bytes);
    if (frame == nullptr) break;
    for (std::size_t at = 0; at < bytes; at += message_bytes_) {
      fill({frame + at, std::min(message_bytes_, bytes - at)}, ++number_);
    }
    to_send_ -= bytes;
  }
  return frames > 0;
}

bool FrameStream::consume() {
  int frames = 0;
  for (; frames < kBurst && to_receive_ > 0; ++frames) {
    const auto frame = wire_->receive();
    if (frame.empty()) break;
    for (std::size_t at = 0; at < frame.size(); at += message_bytes_) {
      const std::size_t bytes = std::min(message_bytes_, frame.size() - at);
      digest_.add(++number_, rank_, sum(frame.subspan(at, bytes)));
    }
    to_receive_ -= std::min<std::uint64_t>(to_receive_, frame.size());
  }
  return frames > 0;
}

}  // namespace lockstep::bench
