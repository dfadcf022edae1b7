#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <span>
#include <thread>
#include <utility>

#include "tests/transports/meeting_by_tcp.hpp"
#include "tests/transports/test_key.hpp"

namespace lockstep::transports {

/// Whether the other end closes within `most`. Reads what it says until then.
inline bool closed_within(const Descriptor& socket, std::chrono::milliseconds most) {
  using Clock = std::chrono::steady_clock;
  const auto deadline = Clock::now() + most;
  while (Clock::now() < deadline) {
    pollfd waited{.fd = socket.get(), .events = POLLIN, .revents = 0};
    if (::poll(&waited, 1, 10) != 1) continue;
    std::byte buffer[256];
    if (::recv(socket.get(), buffer, sizeof buffer, 0) <= 0) return true;
  }
  return false;
}

inline void send_all(const Descriptor& socket, std::span<const std::byte> bytes) {
  ::send(socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
}

/// Meetings of members that have a key, and of some that have another one or none.
class AuthenticatedMeeting : public MeetingByTcp {
 protected:
  struct Two {
    Expected<Met> met[2];
  };
  /// Ranks 0 and 1, each with its own key (or null) and its own options.
  Two meet_both(const GroupKey* first_key, const GroupKey* second_key,
                const MeetingOptions& first = options(0),
                const MeetingOptions& second = options(1)) const {
    Two two;
    std::thread one([&] { two.met[0] = meet_as(first, first_key); });
    two.met[1] = meet_as(second, second_key);
    one.join();
    return two;
  }

  static MeetingOptions brief(std::uint32_t rank) {
    MeetingOptions chosen = options(rank);
    chosen.timeout_ns = kSecond;
    return chosen;
  }

  /// Rank 0 meets; `disturb` does what it likes; then rank 1 comes, and both must meet.
  Expected<Met> meet_despite(const std::function<void()>& disturb) {
    Expected<Met> met[2];
    std::thread first([&] { met[0] = meet_as(options(0), &key_); });
    disturb();
    met[1] = meet_as(options(1), &key_);
    first.join();
    for (const auto& one : met) EXPECT_TRUE(one) << one.error().message;
    return std::move(met[0]);
  }

  const GroupKey key_ = test_key();
  const GroupKey other_key_ = test_key('2');
};

}  // namespace lockstep::transports
