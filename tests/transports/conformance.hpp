#pragma once

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "transports/transport.hpp"

namespace lockstep::transports::conformance {

/// What a test asks of an implementation.
struct Wanted {
  std::uint32_t members = 2;
  std::size_t region_bytes = 4'096;
  std::size_t source_bytes = 1 << 20;
  std::uint64_t seed = 1;
};

/// A group of connected endpoints of the implementation under test.
///
/// Single-threaded media interleave the parties of a test; media between processes may give each
/// party a thread, or interleave them too.
class Network {
 public:
  virtual ~Network() = default;

  virtual Transport& endpoint(std::uint32_t rank) = 0;

  /// One member's part in a test: one turn of its loop, true once it has done all it came for. It
  /// touches only its own endpoint and does not block.
  using Party = std::function<bool()>;

  /// Runs party r as member r until every party has returned true. One that has is called on, for
  /// its polls may be what lets the others finish. False if that takes longer than the deadline
  /// (30 s, or as many steps as no correct medium needs).
  virtual bool run(std::vector<Party> parties) = 0;

  /// Lets what is under way arrive; for tests that look at all endpoints from one thread.
  virtual void pump() = 0;

  /// True if a sleeping `rank` would be awake by now: one of its descriptors is readable. Does not
  /// block.
  virtual bool doorbell_rang(std::uint32_t rank) = 0;

  /// Ends the member: its reactor and its endpoint, which nobody may use any more, are gone. Its
  /// peers see their links to it go down, for a reason the medium knows.
  virtual void end_member(std::uint32_t rank) = 0;
};

/// One implementation. Each registers itself in its own source file:
///
///   INSTANTIATE_TEST_SUITE_P(shm, Conformance, testing::Values(Implementation{"shm", connect}),
///                            name_of);
struct Implementation {
  std::string name;
  std::function<std::unique_ptr<Network>(const Wanted&)> connect;
  /// What this machine lacks for it, in words; empty if nothing. Absent: nothing can lack.
  std::function<std::string()> missing = {};
  bool polled = false;  ///< nothing but time wakes who sleeps
};

/// Network::run with every party in a thread of its own: the memory really is written while it is
/// read.
bool run_in_threads(std::vector<Network::Party> parties);

inline std::string name_of(const testing::TestParamInfo<Implementation>& info) {
  return info.param.name;
}

/// `implementation` with every endpoint behind the fault decorator.
Implementation behind_faults(Implementation implementation);

/// The aligned word at `offset`, as a reader must load it.
inline std::uint64_t load_word(std::span<std::byte> region, std::uint64_t offset) {
  auto* word = reinterpret_cast<std::uint64_t*>(region.data() + offset);
  return std::atomic_ref(*word).load(std::memory_order_acquire);
}

/// A value that tells from either half of it which write it belongs to. Below 2^32.
constexpr std::uint64_t doubled(std::uint64_t value) { return value << 32U | value; }

/// The suite: what DESIGN §3 and transports/transport.hpp promise, tested on every implementation.
class Conformance : public testing::TestWithParam<Implementation> {
 protected:
  void SetUp() override {
    const std::string missing = GetParam().missing ? GetParam().missing() : "";
    if (!missing.empty()) GTEST_SKIP() << "platform limit: " << missing;
  }

  void connect(const Wanted& wanted) {
    network_ = GetParam().connect(wanted);
    // Ends the test here: an assertion would only end this function.
    if (network_ == nullptr) throw std::runtime_error("the endpoints cannot be connected");
    members_ = wanted.members;
  }
  Transport& endpoint(std::uint32_t rank) { return network_->endpoint(rank); }
  Network& network() { return *network_; }

  /// Polls the endpoint of `rank` once and keeps what went down.
  void poll(std::uint32_t rank, std::vector<LinkDown>& downs);

  /// Polls for a party of a test in which no link may go down.
  void poll(std::uint32_t rank);

  /// Flushes and polls all endpoints and lets time pass until `done`; false after 30 s.
  bool settle(const std::function<bool()>& done, std::vector<LinkDown>* downs = nullptr);

  /// `count` words of the source memory of `rank` from word `first` on.
  std::span<std::uint64_t> source(std::uint32_t rank, std::size_t first, std::size_t count) {
    auto* words = reinterpret_cast<std::uint64_t*>(endpoint(rank).source().data());
    return {words + first, count};
  }

  /// Posts and flushes from outside of run; tries again while the link would block. Words that are
  /// too many to be copied must lie in the source memory.
  Post write(std::uint32_t rank, LinkId link, std::uint32_t copy, std::uint64_t offset,
             std::span<const std::uint64_t> words, std::uint64_t mark);

  /// The word at `offset` of a copy that `sender` writes at `rank`.
  std::uint64_t word(std::uint32_t rank, LinkId sender, std::uint64_t offset,
                     std::uint32_t copy = 0) {
    return load_word(endpoint(rank).inbound(sender, copy), offset);
  }

  /// Network::end_member; the endpoint is polled no more.
  void end_member(std::uint32_t rank) {
    ended_ |= std::uint64_t{1} << rank;
    network_->end_member(rank);
  }

  /// Transport::announce_sleep; until `wake` the endpoint is not polled, as no sleeper polls.
  void sleep(std::uint32_t rank) {
    asleep_ |= std::uint64_t{1} << rank;
    endpoint(rank).announce_sleep();
  }
  void wake(std::uint32_t rank) {
    asleep_ &= ~(std::uint64_t{1} << rank);
    endpoint(rank).announce_awake();
  }

  std::unique_ptr<Network> network_;
  std::uint64_t asleep_ = 0;  ///< bit mask of ranks
  std::uint64_t ended_ = 0;   ///< bit mask of ranks
  std::uint32_t members_ = 0;
};

}  // namespace lockstep::transports::conformance
