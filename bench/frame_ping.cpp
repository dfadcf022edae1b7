#include "bench/frame_ping.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "bench/payload.hpp"

namespace lockstep::bench {
namespace {

/// A message's number times two, plus one on the last of a block.
constexpr std::uint64_t kLast = 1;
constexpr std::size_t kWord = sizeof(std::uint64_t);

}  // namespace

FramePing::FramePing(Session& session, std::uint32_t rank)
    : PingFloor(session.plan.options.payload_bytes),
      session_(session),
      rank_(rank),
      message_bytes_(std::max<std::uint64_t>(session.plan.options.payload_bytes, kWord)),
      patience_(session.clock, session.floor_gives_way()) {}

Expected<void> FramePing::open() {
  if (wire_) return {};
  auto wire = FrameWire::open(session_, rank_, "ping");
  if (!wire) return std::unexpected(wire.error());
  wire_.emplace(std::move(*wire));
  return {};
}

bool FramePing::send(std::uint64_t number) {
  patience_.renew();
  for (std::size_t sent = 0; sent < message_bytes_;) {
    // No frame of one byte: see FrameWire.
    const std::size_t left = message_bytes_ - sent;
    const std::size_t most = std::min(wire_->most_bytes(), left);
    const std::size_t bytes = left == most + 1 ? most - 1 : most;
    std::byte* const frame = wire_->collect(bytes);
    if (frame == nullptr) {
      wire_->submit();
      if (!patience_.wait()) return false;
      continue;
    }
    const std::size_t head = sent == 0 ? kWord : 0;
    std::memcpy(frame, &number, head);
    fill({frame + head, bytes - head}, number);
    sent += bytes;
  }
  while (!wire_->submit()) {
    if (!patience_.wait()) return false;
  }
  return true;
}

std::uint64_t FramePing::look() {
  const auto frame = wire_->receive();
  if (frame.empty()) return 0;
  const std::size_t head = came_bytes_ == 0 ? kWord : 0;
  std::memcpy(&coming_, frame.data(), head);
  consumed_ += sum(frame.subspan(head));
  // The compiler must believe that somebody looks at the sum.
  asm volatile("" : : "r"(consumed_));
  came_bytes_ += frame.size();
  if (came_bytes_ < message_bytes_) return 0;
  came_bytes_ = 0;
  return coming_;
}

std::uint64_t FramePing::receive() {
  patience_.renew();
  for (;;) {
    if (const std::uint64_t number = look(); number != 0) return number;
    if (!patience_.wait()) return 0;
  }
}

Expected<bool> FramePing::measure(std::uint64_t round_trips, std::uint64_t timeout_ns,
                                  launch::Histogram& histogram) {
  if (auto opened = open(); !opened) return std::unexpected(opened.error());
  const runtime::TscClock& clock = session_.clock;
  constexpr std::uint64_t kUntimed = 32;  // the first ones warm the path
  std::uint64_t now_ns = clock.now_ns();
  const std::uint64_t deadline_ns = now_ns + timeout_ns;
  for (std::uint64_t i = 0;; ++i) {
    const bool all = i == kUntimed + round_trips;
    const std::uint64_t number = ++number_ * 2 + (all || now_ns > deadline_ns ? kLast : 0);
    const std::uint64_t sent_ns = clock.now_ns();
    if (!send(number) || receive() != number) return silent_pair();
    now_ns = clock.now_ns();
    if ((number & kLast) != 0) return all;
    if (i >= kUntimed) histogram.record(now_ns - sent_ns);
  }
}

Expected<void> FramePing::echo() {
  if (auto opened = open(); !opened) return opened;
  for (;;) {
    const std::uint64_t number = receive();
    if (number == 0 || !send(number)) return silent_pair();
    if ((number & kLast) != 0) return {};
  }
}

}  // namespace lockstep::bench
