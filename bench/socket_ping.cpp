#include "bench/socket_ping.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "bench/payload.hpp"

namespace lockstep::bench {
namespace {

/// A message's number times two, plus one on the last of a block.
constexpr std::uint64_t kLast = 1;

}  // namespace

SocketPing::SocketPing(int socket, std::uint64_t payload_bytes, const runtime::TscClock& clock,
                       bool sleeps)
    : PingFloor(payload_bytes),
      socket_(socket),
      message_(std::max<std::uint64_t>(payload_bytes, sizeof(std::uint64_t))),
      clock_(clock),
      patience_(clock, false),
      sleeps_(sleeps) {}

bool SocketPing::wait(short events) {
  if (!sleeps_) return patience_.wait();
  pollfd waited{.fd = socket_, .events = events, .revents = 0};
  return ::poll(&waited, 1, static_cast<int>(Patience::kSilenceNs / 1'000'000)) > 0;
}

bool SocketPing::send(std::uint64_t number) {
  std::memcpy(message_.data(), &number, sizeof number);
  fill(std::span(message_).subspan(sizeof number), number);
  patience_.renew();
  for (std::size_t sent = 0; sent < message_.size();) {
    const ssize_t some =
        ::send(socket_, message_.data() + sent, message_.size() - sent, MSG_NOSIGNAL);
    if (some > 0) sent += static_cast<std::size_t>(some);
    if (some < 0 && (errno != EAGAIN || !wait(POLLOUT))) return false;
  }
  return true;
}

std::uint64_t SocketPing::receive() {
  patience_.renew();
  for (std::size_t received = 0; received < message_.size();) {
    const ssize_t some = ::recv(socket_, message_.data() + received, message_.size() - received, 0);
    if (some > 0) received += static_cast<std::size_t>(some);
    if (some == 0) return 0;
    if (some < 0 && (errno != EAGAIN || !wait(POLLIN))) return 0;
  }
  std::uint64_t number = 0;
  std::memcpy(&number, message_.data(), sizeof number);
  consumed_ += sum(std::span(message_).subspan(sizeof number));
  // The compiler must believe that somebody looks at the sum.
  asm volatile("" : : "r"(consumed_));
  return number;
}

Expected<bool> SocketPing::measure(std::uint64_t round_trips, std::uint64_t timeout_ns,
                                   launch::Histogram& histogram) {
  constexpr std::uint64_t kUntimed = 32;  // the first ones find the other side and warm the path
  std::uint64_t now_ns = clock_.now_ns();
  std::uint64_t deadline_ns = now_ns + timeout_ns;
  for (std::uint64_t i = 0;; ++i) {
    const bool all = i == kUntimed + round_trips;
    const std::uint64_t last = all || now_ns > deadline_ns ? kLast : 0;
    ++number_;
    const std::uint64_t sent_ns = clock_.now_ns();
    if (!send(number_ * 2 + last) || receive() / 2 != number_) return silent_pair();
    now_ns = clock_.now_ns();
    if (last != 0) return all;
    if (i == 0) deadline_ns = now_ns + timeout_ns;
    if (i >= kUntimed) histogram.record(now_ns - sent_ns);
  }
}

Expected<void> SocketPing::echo() {
  for (std::uint64_t number = 0; (number & kLast) == 0;) {
    number = receive();
    if (number == 0 || !send(number)) return silent_pair();
  }
  return {};
}

}  // namespace lockstep::bench
