#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "bench/patience.hpp"
#include "lockstep/error.hpp"
#include "runtime/memory.hpp"
#include "transports/verbs/device.hpp"
#include "transports/verbs/handles.hpp"

namespace lockstep::bench {

/// What the two ends of a lane must know of each other; in memory that both see. Zero at the start.
struct LaneAddress {
  std::uint32_t queue_pair;
  std::uint32_t packet_number;
  std::uint32_t lid;
  std::uint32_t path_mtu;
  std::uint8_t gid[16];
  std::uint64_t memory;
  std::uint32_t key;
  std::uint32_t written;  ///< 1: all of the above is there
};

/// One end of a bare queue pair for the floors of the verbs transport: memory that the other end
/// writes into, RDMA WRITE, nothing else. Only the device is chosen by the transport's code.
class VerbsLane {
 public:
  /// Opens the device that has `host` and makes memory for the other end to write into (`bytes`,
  /// zeroed) and to post from (as much again). Errors: those of VerbsDevice::open, no_memory,
  /// system.
  static Expected<VerbsLane> open(const std::string& host, std::size_t bytes);

  /// Tells `mine`, waits for `theirs`, connects. Errors: timed_out, system.
  Expected<void> connect(LaneAddress& mine, LaneAddress& theirs, Patience& patience);

  [[nodiscard]] std::span<std::byte> inbound() const noexcept {
    return memory_.bytes().first(bytes_);
  }
  [[nodiscard]] std::span<std::byte> source() const noexcept {
    return memory_.bytes().subspan(bytes_, bytes_);
  }

  /// Posts one write of part of the source to the same offset at the other end; reaps what is
  /// complete. False: the queue is full for now, or the device gave up (`broken`).
  bool write(std::size_t offset, std::size_t bytes) noexcept {
    return write(offset, bytes, offset);
  }
  bool write(std::size_t offset, std::size_t bytes, std::size_t to) noexcept;
  [[nodiscard]] bool broken() const noexcept { return broken_; }

 private:
  static constexpr std::uint32_t kDepth = 128;
  static constexpr std::uint32_t kSignalEvery = 32;

  VerbsLane() = default;
  Expected<void> make_queue_pair();
  int make_ready(const LaneAddress& theirs);
  void reap() noexcept;

  std::size_t bytes_ = 0;
  std::optional<transports::VerbsDevice> device_;
  runtime::SharedBlock memory_;
  transports::Handle<ibv_mr> region_;
  transports::Handle<ibv_cq> completions_;
  transports::Handle<ibv_qp> queue_pair_;
  std::uint32_t inline_bytes_ = 0;
  std::uint32_t packet_number_ = 0;
  std::uint64_t their_memory_ = 0;
  std::uint32_t their_key_ = 0;
  std::uint64_t posted_ = 0;
  std::uint64_t completed_ = 0;
  bool broken_ = false;
};

}  // namespace lockstep::bench
