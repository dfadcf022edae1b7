#include "bench/frame_ping.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "bench/payload.hpp"
#include "transports/dpdk/load_port.hpp"

namespace lockstep::bench {
namespace {

/// A frame's number times two, plus one on the last of a block.
constexpr std::uint64_t kLast = 1;
/// Until the ends have met frames are lost, and sent again.
constexpr std::uint64_t kAgainNs = 10'000'000;

}  // namespace

FramePing::FramePing(std::string name, std::uint32_t rank, std::uint64_t payload_bytes,
                     const runtime::TscClock& clock, bool gives_way)
    : PingFloor(payload_bytes),
      name_(std::move(name)),
      rank_(rank),
      message_(std::max<std::uint64_t>(payload_bytes, sizeof(std::uint64_t))),
      clock_(clock),
      patience_(clock, gives_way) {}

Expected<void> FramePing::open() {
  if (wire_ != nullptr) return {};
  const transports::dpdk::PluginOptions options{
      .devices = {fmt::format("net_memif_floor,role={},socket={},socket-abstract=yes",
                              rank_ == 0 ? "server" : "client", name_)},
      .eal = {},
      .address = {},
      .prefix = fmt::format("lockstep-{}", getpid())};
  transports::Notices notices;
  auto wire = transports::dpdk::load_wire("", options, notices);
  if (!wire) return std::unexpected(wire.error());
  if (message_.size() > (*wire)->most_bytes()) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("--payload-bytes {}: the floor over DPDK is one frame of at most {} "
                            "bytes",
                            message_.size(), (*wire)->most_bytes()));
  }
  wire_ = std::move(*wire);
  return {};
}

bool FramePing::send(std::uint64_t number) {
  std::memcpy(message_.data(), &number, sizeof number);
  fill(std::span(message_).subspan(sizeof number), number);
  patience_.renew();
  while (!wire_->send(message_)) {
    if (!patience_.wait()) return false;
  }
  return true;
}

std::uint64_t FramePing::look() {
  const auto payload = wire_->receive();
  if (payload.size() != message_.size()) return 0;
  std::uint64_t number = 0;
  std::memcpy(&number, payload.data(), sizeof number);
  consumed_ += sum(payload.subspan(sizeof number));
  // The compiler must believe that somebody looks at the sum.
  asm volatile("" : : "r"(consumed_));
  return number;
}

bool FramePing::receive(std::uint64_t number) {
  patience_.renew();
  std::uint64_t again_ns = clock_.now_ns() + kAgainNs;
  for (;;) {
    const std::uint64_t came = look();
    if (came == number) return true;
    if (came != 0) continue;  // an answer to what was sent twice
    if (!patience_.wait()) return false;
    if (met_ || clock_.now_ns() < again_ns) continue;
    again_ns += kAgainNs;
    wire_->send(message_);
  }
}

Expected<bool> FramePing::measure(std::uint64_t round_trips, std::uint64_t timeout_ns,
                                  launch::Histogram& histogram) {
  if (auto opened = open(); !opened) return std::unexpected(opened.error());
  constexpr std::uint64_t kUntimed = 32;  // the first ones find the other side and warm the path
  std::uint64_t now_ns = clock_.now_ns();
  std::uint64_t deadline_ns = now_ns + timeout_ns;
  for (std::uint64_t i = 0;; ++i) {
    const bool all = i == kUntimed + round_trips;
    // The first of all may be sent twice, and is no last one.
    const std::uint64_t last = all || (met_ && now_ns > deadline_ns) ? kLast : 0;
    ++number_;
    const std::uint64_t sent_ns = clock_.now_ns();
    if (!send(number_ * 2 + last) || !receive(number_ * 2 + last)) return silent_pair();
    now_ns = clock_.now_ns();
    met_ = true;
    if (last != 0) return all;
    if (i == 0) deadline_ns = now_ns + timeout_ns;
    if (i >= kUntimed) histogram.record(now_ns - sent_ns);
  }
}

Expected<void> FramePing::echo() {
  if (auto opened = open(); !opened) return opened;
  patience_.renew();
  for (;;) {
    const std::uint64_t number = look();
    if (number == 0) {
      if (!patience_.wait()) return silent_pair();
      continue;
    }
    if (!send(number)) return silent_pair();
    if ((number & kLast) != 0) return {};
  }
}

}  // namespace lockstep::bench
