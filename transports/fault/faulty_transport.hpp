#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "lockstep/error.hpp"
#include "transports/fault/fault_plan.hpp"
#include "transports/sim/random.hpp"
#include "transports/transport.hpp"

namespace lockstep::transports {

/// Any transport, behaving as badly as its contract permits: back-pressure in bursts, posts that
/// linger, a link that dies. For tests of Lockstep and of programs built on it. The idea of faults
/// as a decorator of the medium is Aeron's (aeron-driver, loss and reorder interceptors).
///
/// Held posts (small ones copied, as they would be underneath) are released in order by `poll`, and
/// by `announce_sleep`; what cannot be released then keeps a descriptor readable, so that a sleeper
/// polls again. A link goes down only
/// when the medium is done with its sources. Thread: that of the transport underneath. Unlike a
/// real medium it allocates.
class FaultyTransport final : public Transport {
 public:
  /// Decorates `inner`, which is not owned and must outlive the decorator; `members` bounds its
  /// link numbers. Errors: system (no descriptor to be had).
  static Expected<std::unique_ptr<FaultyTransport>> wrap(Transport& inner, std::uint32_t members,
                                                         const FaultPlan& plan);
  ~FaultyTransport() override;
  FaultyTransport(const FaultyTransport&) = delete;
  FaultyTransport& operator=(const FaultyTransport&) = delete;

  std::size_t region_bytes() const noexcept override { return inner_.region_bytes(); }
  WriteOrder write_order() const noexcept override { return inner_.write_order(); }
  WriteOrder read_order(LinkId link) const noexcept override { return inner_.read_order(link); }
  std::span<std::byte> source() noexcept override { return inner_.source(); }
  std::span<std::byte> inbound(LinkId link, std::uint32_t copy) noexcept override {
    return inner_.inbound(link, copy);
  }
  Post write(LinkId link, std::uint32_t copy, std::uint64_t offset,
             std::span<const std::byte> bytes, std::uint64_t mark) noexcept override;
  bool posts_are_stores() const noexcept override { return inner_.posts_are_stores(); }
  void flush(LinkId link) noexcept override;
  std::uint64_t completed(LinkId link) const noexcept override;
  std::size_t poll(std::span<LinkDown> events) noexcept override;
  void drop(LinkId link) noexcept override;
  Expected<void> adopt(std::unique_ptr<Newcomer> newcomer) override;
  void hold_life_line(LinkId link, Descriptor line) noexcept override {
    inner_.hold_life_line(link, std::move(line));
  }
  void renew_keys() noexcept override { inner_.renew_keys(); }
  void set_never_sleeps(bool never) noexcept override { inner_.set_never_sleeps(never); }
  void announce_sleep() noexcept override;
  void announce_awake() noexcept override;
  void ring_doorbells() noexcept override;
  std::span<const int> descriptors() const noexcept override { return descriptors_; }
  std::uint64_t deadline_ns() const noexcept override { return inner_.deadline_ns(); }
  std::optional<PacketCounts> packet_counts() const noexcept override {
    return inner_.packet_counts();
  }
  std::span<const std::string> notices() const noexcept override { return inner_.notices(); }

  /// True while posts are held back: what keeps the extra descriptor readable during sleep.
  [[nodiscard]] bool holds_posts() const noexcept;

 private:
  struct HeldPost {
    std::uint32_t copy = 0;
    std::uint64_t offset = 0;
    std::array<std::byte, kInlineBytes> copied{};
    std::span<const std::byte> source;  ///< what is too long to be copied
    std::size_t copied_bytes = 0;
    std::uint64_t mark = 0;
    bool rings = false;  ///< a doorbell was asked for while it was held

    [[nodiscard]] std::span<const std::byte> bytes() const {
      return source.empty() ? std::span(copied).first(copied_bytes) : source;
    }
  };
  struct HandedPost {
    std::uint64_t number = 0;  ///< the mark it has underneath
    std::uint64_t mark = 0;    ///< the mark the caller gave
  };
  enum class State : std::uint8_t { up, closing, down };
  struct Link {
    std::deque<HeldPost> held;
    std::deque<HandedPost> handed;
    std::uint64_t next_number = 1;
    std::uint64_t last_mark = 0;
    std::uint64_t completed_mark = 0;
    std::uint64_t posts = 0;
    std::uint64_t release_poll = 0;
    std::uint64_t blocked_posts = 0;
    State state = State::up;
  };

  FaultyTransport(Transport& inner, std::uint32_t members, const FaultPlan& plan, int descriptor);
  Post hold(Link& state, std::uint32_t copy, std::uint64_t offset, std::span<const std::byte> bytes,
            std::uint64_t mark);
  void count_post(LinkId link, std::uint64_t mark);
  void release(LinkId link);
  void reap(LinkId link);
  void close(LinkId link);

  Transport& inner_;
  const FaultPlan plan_;
  Random random_;
  std::vector<Link> links_;
  std::uint64_t polls_ = 0;
  int descriptor_;  ///< eventfd: readable while a sleeper holds posts
  bool signalled_ = false;
  std::vector<int> descriptors_;
};

}  // namespace lockstep::transports
