#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "lockstep/error.hpp"
#include "runtime/memory.hpp"
#include "runtime/zero_pages.hpp"
#include "transports/block.hpp"
#include "transports/hello/descriptor.hpp"
#include "transports/link_maker.hpp"
#include "transports/shm/control_page.hpp"
#include "transports/transport.hpp"

namespace lockstep::transports {

struct ShmOptions {
  std::uint32_t members = 0;
  std::size_t region_bytes = 0;  ///< of one copy
  std::size_t source_bytes = 0;
  BlockOptions blocks;
  int doorbell = -1;  ///< this reactor's eventfd; stays the caller's
};

/// Shared memory between processes, or threads, of one host.
///
/// A member makes one memfd per link for what that peer writes, and hands it over when they meet.
/// A write is a copy into the peer's pages, first word last; it completes at once. No system call
/// but the doorbell of a peer that sleeps.
///
/// The death of a peer shows in its control page, polled without a system call. A sleeper is woken
/// by the end of the socket over which they met: like a pidfd it is closed only after the memory
/// is freed, and unlike one it works across pid name spaces and for threads.
class ShmTransport final : public Transport {
 public:
  /// Without links. On the thread that runs the reactor. Errors: no_memory, system.
  static Expected<std::unique_ptr<ShmTransport>> open(const ShmOptions& options);
  /// Leaves: peers see `peer_left`.
  ~ShmTransport() override = default;

  [[nodiscard]] std::size_t region_bytes() const noexcept override { return region_bytes_; }
  [[nodiscard]] WriteOrder write_order() const noexcept override {
    return WriteOrder::first_word_last;
  }
  [[nodiscard]] std::span<std::byte> source() noexcept override { return source_.bytes(); }
  [[nodiscard]] std::span<std::byte> inbound(LinkId link, std::uint32_t copy) noexcept override;
  Post write(LinkId link, std::uint32_t copy, std::uint64_t offset,
             std::span<const std::byte> bytes, std::uint64_t mark) noexcept override;
  [[nodiscard]] bool posts_are_stores() const noexcept override { return true; }
  void flush(LinkId /*link*/) noexcept override {}
  [[nodiscard]] std::uint64_t completed(LinkId link) const noexcept override;
  std::size_t poll(std::span<LinkDown> events) noexcept override;
  void drop(LinkId link) noexcept override;
  Expected<void> adopt(std::unique_ptr<Newcomer> newcomer) override;
  void set_never_sleeps(bool never) noexcept override { control_.set_never_sleeps(never); }
  void announce_sleep() noexcept override;
  void announce_awake() noexcept override;
  void ring_doorbells() noexcept override;
  [[nodiscard]] std::span<const int> descriptors() const noexcept override { return sockets_; }

  [[nodiscard]] std::span<const std::string> notices() const noexcept override {
    return notices_.lines();
  }

  [[nodiscard]] std::unique_ptr<LinkMaker> link_maker() const;

 private:
  struct Link {
    std::byte* outbound = nullptr;  ///< the peer's pages, both copies
    std::uint64_t mark = 0;
    bool down = true;
    bool rung_for = true;  ///< nothing was written since doorbells were last rung
    PeerControlPage control;
    runtime::SharedBlock inbound_block;
    runtime::SharedBlock outbound_block;
    Descriptor socket;
    Descriptor bell;
  };

  class Maker;
  class Arrival;

  explicit ShmTransport(const ShmOptions& options);
  Expected<void> make_memory();
  void take_down(Link& link) noexcept;

  const ShmOptions options_;
  const std::size_t region_bytes_;
  OwnControlPage control_;
  runtime::ZeroPages nobody_;  ///< what the peer of a link wrote that is not there
  runtime::SharedBlock source_;
  std::vector<Link> links_;  ///< by rank; my own is unused
  std::vector<int> sockets_;
  std::size_t next_to_watch_ = 0;
  Notices notices_;
};

}  // namespace lockstep::transports
