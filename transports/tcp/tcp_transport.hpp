#pragma once

#include <array>
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
#include "transports/hello/life_lines.hpp"
#include "transports/link_maker.hpp"
#include "transports/tcp/io.hpp"
#include "transports/transport.hpp"

namespace lockstep::transports {

/// How bytes get in and out of sockets.
enum class TcpIo : std::uint8_t { automatic, io_uring, sockets };

struct TcpOptions {
  std::uint32_t members = 0;
  std::size_t region_bytes = 0;  ///< of one copy
  std::size_t source_bytes = 0;
  BlockOptions blocks;
  TcpIo io = TcpIo::automatic;
  /// How long bytes may wait for their peer's kernel before the link is given up: TCP itself tries
  /// for a quarter of an hour, at ever longer intervals. 0: as TCP does. (tcp(7), TCP_USER_TIMEOUT)
  std::uint64_t unanswered_ns = 0;
};

/// TCP, for every machine: writes travel as frames, and the receiver's reactor puts them where they
/// belong when it polls. So they appear between two turns of its loop, from the lowest address up.
///
/// A write completes when the kernel has taken it, or when it is sealed, on a link with keys. A
/// sleeper is woken by what arrives: there is no doorbell to ring, and a beat wakes, too. A full
/// socket is back-pressure, bounded by stream::OutboundStream::kDepth writes. A peer's death shows
/// in the end of its connection or of its life line, whichever comes first; what had arrived until
/// then is applied.
class TcpTransport final : public Transport {
 public:
  /// Without links. Errors: no_memory, system, and configuration when TcpIo::io_uring is asked for
  /// and forbidden here.
  static Expected<std::unique_ptr<TcpTransport>> open(const TcpOptions& options);
  /// Leaves: peers see `peer_left`. Waits up to a tenth of a second for what was posted to reach
  /// their hosts.
  ~TcpTransport() override;

  [[nodiscard]] std::size_t region_bytes() const noexcept override { return region_bytes_; }
  [[nodiscard]] WriteOrder write_order() const noexcept override { return WriteOrder::ascending; }
  [[nodiscard]] std::span<std::byte> source() noexcept override { return source_.bytes(); }
  [[nodiscard]] std::span<std::byte> inbound(LinkId link, std::uint32_t copy) noexcept override;
  Post write(LinkId link, std::uint32_t copy, std::uint64_t offset,
             std::span<const std::byte> bytes, std::uint64_t mark) noexcept override;
  void flush(LinkId link) noexcept override;
  [[nodiscard]] std::uint64_t completed(LinkId link) const noexcept override;
  std::size_t poll(std::span<LinkDown> events) noexcept override;
  void drop(LinkId link) noexcept override;
  Expected<void> adopt(std::unique_ptr<Newcomer> newcomer) override;
  void hold_life_line(LinkId link, Descriptor line) noexcept override;
  void renew_keys() noexcept override;
  void set_never_sleeps(bool /*never*/) noexcept override {}
  void announce_sleep() noexcept override { io_->announce_sleep(); }
  void announce_awake() noexcept override { io_->announce_awake(); }
  void ring_doorbells() noexcept override { io_->submit(); }
  [[nodiscard]] std::span<const int> descriptors() const noexcept override { return descriptors_; }
  [[nodiscard]] std::span<const std::string> notices() const noexcept override {
    return notices_.lines();
  }

  [[nodiscard]] std::unique_ptr<LinkMaker> link_maker() const;

 private:
  class Maker;
  class Arrival;

  explicit TcpTransport(const TcpOptions& options);
  Expected<void> make_memory();
  Expected<void> make_io();
  void bury(std::uint64_t dead) noexcept;
  void take_leave() noexcept;

  const TcpOptions options_;
  const std::size_t region_bytes_;
  runtime::SharedBlock source_;
  runtime::ZeroPages nobody_;  ///< what the peer of a link wrote that is not there
  std::vector<std::unique_ptr<tcp::Link>> links_;  ///< by rank; null: me, and who was dropped
  std::vector<std::uint64_t> last_completed_;      ///< of those dropped
  std::unique_ptr<tcp::Io> io_;
  std::unique_ptr<LifeLines> life_lines_;
  std::array<int, 2> descriptors_{-1, -1};
  Notices notices_;
};

}  // namespace lockstep::transports
