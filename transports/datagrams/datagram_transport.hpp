#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "lockstep/error.hpp"
#include "runtime/clock.hpp"
#include "runtime/memory.hpp"
#include "runtime/zero_pages.hpp"
#include "transports/block.hpp"
#include "transports/datagrams/port.hpp"
#include "transports/hello/life_lines.hpp"
#include "transports/link_maker.hpp"
#include "transports/packet/packet_link.hpp"
#include "transports/transport.hpp"

namespace lockstep::transports {

struct DatagramOptions {
  std::uint32_t my_rank = 0;
  std::uint32_t members = 0;
  std::size_t region_bytes = 0;  ///< of one copy
  std::size_t source_bytes = 0;
  BlockOptions blocks;
  std::uint64_t unanswered_ns = 0;  ///< without progress for so long, a link is given up
};

/// Any port that carries packets, under the reliable-packet layer (transports/packet/). Writes
/// appear between two turns of the receiver's loop, from the lowest address up; one is complete
/// when its bytes are in packets.
///
/// A sleeper is woken by what arrives, a beat included, and wakes itself when something is to be
/// sent again (`deadline_ns`). Back-pressure: OutboundStream::kDepth writes behind as many packets
/// as the peer has room for. A peer's death shows in the end of its life line; one that does not
/// answer, in time.
class DatagramTransport final : public Transport {
 public:
  /// Without links. `notices`: what was tolerated when the port was opened. Errors: no_memory,
  /// system.
  static Expected<std::unique_ptr<DatagramTransport>> open(const DatagramOptions& options,
                                                           std::unique_ptr<Port> port,
                                                           const Notices& notices);
  /// Leaves: peers see `peer_left`. Waits up to a tenth of a second for what was posted to arrive.
  ~DatagramTransport() override;

  [[nodiscard]] std::size_t region_bytes() const noexcept override { return options_.region_bytes; }
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
  void announce_sleep() noexcept override;
  void announce_awake() noexcept override {}
  void ring_doorbells() noexcept override { port_->submit(); }
  [[nodiscard]] std::span<const int> descriptors() const noexcept override { return descriptors_; }
  [[nodiscard]] std::uint64_t deadline_ns() const noexcept override;
  [[nodiscard]] std::optional<PacketCounts> packet_counts() const noexcept override;
  [[nodiscard]] std::span<const std::string> notices() const noexcept override {
    return notices_.lines();
  }

  [[nodiscard]] std::unique_ptr<LinkMaker> link_maker() const;

 private:
  class Maker;
  class Arrival;
  struct Link;

  DatagramTransport(const DatagramOptions& options, std::unique_ptr<Port> port);
  Expected<void> make_memory();
  void receive() noexcept;
  void receive_the_rest() noexcept;
  bool take_batch(std::uint64_t now_ns) noexcept;
  void take(const Received& one, std::uint64_t now_ns) noexcept;
  void send_due(bool idle) noexcept;
  void bury(std::uint64_t dead) noexcept;
  void take_leave() noexcept;

  const DatagramOptions options_;
  const runtime::TscClock clock_;
  runtime::SharedBlock source_;
  runtime::ZeroPages nobody_;  ///< what the peer of a link wrote that is not there
  const std::unique_ptr<Port> port_;
  std::vector<std::unique_ptr<Link>> links_;   ///< by rank; null: me, and who was dropped
  std::vector<std::uint64_t> last_completed_;  ///< of those dropped
  PacketCounts gone_;                          ///< of those dropped, and of nobody's
  std::unique_ptr<LifeLines> life_lines_;
  std::array<int, 2> descriptors_{-1, -1};
  Notices notices_;
};

}  // namespace lockstep::transports
