#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "lockstep/error.hpp"
#include "runtime/doorbell.hpp"
#include "runtime/memory.hpp"
#include "runtime/zero_pages.hpp"
#include "transports/hello/descriptor.hpp"
#include "transports/hello/life_lines.hpp"
#include "transports/hello/socket_watch.hpp"
#include "transports/link_maker.hpp"
#include "transports/transport.hpp"
#include "transports/verbs/device.hpp"
#include "transports/verbs/handles.hpp"
#include "transports/verbs/link.hpp"
#include "transports/verbs/send_queue.hpp"

namespace lockstep::transports {

struct VerbsOptions {
  DeviceChoice device;
  std::uint32_t members = 0;
  std::uint32_t my_rank = 0;
  std::size_t region_bytes = 0;  ///< of one copy; a multiple of 64
  std::size_t source_bytes = 0;
  bool trust_order = true;  ///< false: a checksum in any case, for groups with unlike devices
  runtime::MemoryOptions memory;
};

/// What a transport has asked of its device, over all links.
using VerbsStatistics = SendQueue::Counts;

/// RDMA WRITE over reliable connections (RoCE v2 or InfiniBand): the peer's CPU has no part in a
/// write. One completion queue, one registered source, one queue pair and one registered region per
/// link; see VerbsLink and SendQueue for what happens on a link.
///
/// Sleeping. A peer that may sleep gets a doorbell (VerbsLink) after every send step that wrote to
/// it; one that said it never sleeps gets none. No wake-up is lost:
///
///  - The sleeper (1) reads old events off the completion channel, (2) arms the completion queue,
///    (3) takes what is in the queue, then its caller (4) looks at memory, and (5) waits.
///  - A doorbell follows the writes it stands for on the same queue pair, so when its completion is
///    there, so are they. Completed before (2): they are found by (4). After (2): the channel is
///    readable, since (1) was before, and (5) returns at once.
///  - Old arming is harmless: it makes an event too many, never one too few.
///  - A doorbell that could not be sent (no room, no credit) stays owed; `poll` pays it, and
///    announce_sleep pays it before this member stops polling. If there is no room even then, the
///    completion that makes room wakes this member, because its own completions come by the same
///    queue.
///  - Links found broken between (2) and (5) ring this member's own bell.
///
/// set_never_sleeps(false) after true takes as long as a write takes: until then peers ring no
/// bell.
///
/// Whole words. NICs write aligned words whole. Soft-RoCE copies with the kernel's memcpy, which is
/// 'rep movsb' on CPUs with erms or fsrm. No manual promises whole words for that; an emulator
/// (QEMU's TCG) copies byte by byte, and words were seen torn there. Hide the two flags from an
/// emulated kernel; on real CPUs Soft-RoCE is for trying things out.
///
/// Failing links. A peer whose machine or device is gone is seen by the write nobody answers, after
/// half a second; an orderly end is told by the peer's transport; whoever knows more (the socket
/// over which the members met) calls fail_link.
///
/// Thread: the reactor's. `poll` makes no system call but every kPollsPerLook times, and when a
/// link ends.
class VerbsTransport final : public Transport {
 public:
  /// Without links. Makes the memory to post from and registers it. Blocks meanwhile. Errors: as
  /// VerbsDevice::open, no_memory, system.
  static Expected<std::unique_ptr<VerbsTransport>> open(const VerbsOptions& options);

  /// Tells the peers and waits a moment (kFarewellNs) for them to have heard: they see `peer_left`.
  ~VerbsTransport() override;

  [[nodiscard]] std::unique_ptr<LinkMaker> link_maker() const;

  /// Ends a link for a reason that somebody else has found; the next poll reports it. Nothing
  /// happens if it is down.
  void fail_link(LinkId link, DownReason reason) noexcept;

  [[nodiscard]] VerbsStatistics statistics() const noexcept;
  /// The device in use, for people.
  [[nodiscard]] std::string device_text() const { return device_.text(); }

  [[nodiscard]] std::size_t region_bytes() const noexcept override { return region_bytes_; }
  [[nodiscard]] WriteOrder write_order() const noexcept override { return write_order_; }
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
  void set_never_sleeps(bool never) noexcept override;
  void announce_sleep() noexcept override;
  void announce_awake() noexcept override;
  void ring_doorbells() noexcept override;
  [[nodiscard]] std::span<const int> descriptors() const noexcept override { return descriptors_; }
  [[nodiscard]] std::span<const std::string> notices() const noexcept override {
    return notices_.lines();
  }

 private:
  class Maker;
  class Arrival;
  struct Ending {
    bool unreported = false;
    DownReason reason = DownReason::link_failed;
  };

  VerbsTransport(const VerbsOptions& options, VerbsDevice&& device);
  Expected<void> make_completions();
  Expected<void> make_source(const VerbsOptions& options);
  Expected<void> make_descriptors();
  /// Asks a queue pair that is made for that alone.
  Expected<void> choose_order();
  [[nodiscard]] LinkShape shape() const noexcept;

  void reap() noexcept;
  void take(const ibv_wc& completion) noexcept;
  void watch_one_peer() noexcept;
  void read_device_events() noexcept;
  /// Ends a link that the device is done with. An event may already say why, of all links then.
  void give_up(LinkId link, DownReason reason) noexcept;
  void look_at_sockets() noexcept;
  void bury(std::uint64_t dead) noexcept;
  void read_completion_events() noexcept;
  void pay(bool last_chance) noexcept;
  void say_farewell() noexcept;
  std::size_t report(std::span<LinkDown> events) noexcept;

  const VerbsOptions options_;
  const std::size_t region_bytes_;
  VerbsDevice device_;
  Handle<ibv_comp_channel> channel_;
  Handle<ibv_cq> completions_;
  runtime::SharedBlock source_;
  Handle<ibv_mr> source_region_;
  std::vector<VerbsLink> links_;  ///< by rank
  std::vector<Ending> endings_;   ///< by rank
  std::size_t unreported_ = 0;
  WriteOrder write_order_ = WriteOrder::unordered;
  runtime::Doorbell own_bell_;
  SocketWatch sockets_;
  std::unique_ptr<LifeLines> life_lines_;
  runtime::ZeroPages nobody_;  ///< what the peer of a link wrote that is not there
  bool never_sleeps_ = false;
  std::vector<int> descriptors_;
  Notices notices_;
  std::uint64_t polls_ = 0;
  std::size_t next_to_watch_ = 0;
  bool in_debt_ = false;
};

}  // namespace lockstep::transports
