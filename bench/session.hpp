#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "bench/blocks.hpp"
#include "bench/control.hpp"
#include "bench/options.hpp"
#include "bench/socket_mesh.hpp"
#include "bench/verbs_lane.hpp"
#include "lockstep/error.hpp"
#include "runtime/clock.hpp"
#include "tools/launch/histogram.hpp"
#include "tools/launch/partitions.hpp"
#include "tools/launch/shared_array.hpp"

namespace lockstep::bench {

/// What one member hands back. It is the only writer; read it once the members have ended.
struct MemberRecord {
  launch::Histogram latency;  ///< of its own messages, to its own delivery
  std::uint64_t applied;
  std::uint64_t hash;
  std::uint64_t idle;             ///< the IdlePolicy in force
  std::uint64_t cpu_share_ppb;    ///< of one core, in parts per billion
  std::array<char, 512> notices;  ///< lines
};

/// What rank 0 hands back about all.
struct Totals {
  launch::Histogram floor;  ///< round trips
  std::uint64_t messages;   ///< in measured subject blocks, each counted once
  std::uint64_t subject_ns;
  std::uint64_t floor_messages;
  std::uint64_t floor_stream_ns;
  std::uint64_t blocks;      ///< measured, warm-up not counted
  std::uint64_t cut_blocks;  ///< floor blocks given up: their subject blocks have no ratio
};

/// At most this many block pairs keep their ratio; at 5 ms each that is five minutes.
inline constexpr std::uint64_t kMostBlocks = 1 << 16;

/// Everything the members of one benchmark share; made before they start, read after they end.
struct Session {
  Plan plan;
  runtime::TscClock clock;  ///< calibrated once, so that all members tell the same time
  std::string group_name;
  launch::SharedArray<Control> control_page;
  launch::SharedArray<MemberRecord> records;  ///< one per rank
  launch::SharedArray<Totals> totals;         ///< one
  /// The p50 of what rank r sent in block b, at b × members + r; throughput: the rate of all, as
  /// if of rank 0. And the floor's p50 or rate in block b. Zero: not measured.
  launch::SharedArray<double> block_subjects;
  launch::SharedArray<double> block_floors;
  /// When message k of a sender was published, and applied by each member; see Stamps.
  launch::SharedArray<std::uint64_t> stamps;
  launch::SharedArray<std::byte> floor_memory;
  launch::SharedArray<LoneWord> floor_arrived;  ///< over UDP: bytes, by receiver, then by sender
  launch::SharedArray<LaneAddress> lanes;  ///< of the floors over verbs: ping, stream; ranks 0, 1
  std::optional<SocketMesh> mesh;          ///< of the floors over TCP and UDP
  /// Where members live that are apart. The floors stay on this host's loopback.
  std::shared_ptr<const launch::Partitions> network{};

  [[nodiscard]] Control& control() const noexcept { return control_page[0]; }
  /// How many bytes of a floor's stream over UDP `receiver` has had from `sender`.
  [[nodiscard]] LoneWord& arrived(std::uint32_t receiver, std::uint32_t sender) const noexcept {
    return floor_arrived[receiver * plan.options.members + sender];
  }
  /// The memory of the latency floor, and of one direction of the throughput floor.
  [[nodiscard]] std::span<std::byte> ping_memory() const noexcept;
  [[nodiscard]] std::span<std::byte> stream_memory(std::size_t direction) const noexcept;
  /// Members may have to share CPUs: who waits for others must sleep.
  [[nodiscard]] bool gives_way() const noexcept { return plan.cores.empty(); }
  /// Members sleep while they wait, so the floors of a network do.
  [[nodiscard]] bool floor_sleeps() const noexcept {
    const IdlePolicy idle = plan.options.idle;
    const bool automatic_sleeps = idle == IdlePolicy::automatic && plan.cores.empty();
    return idle == IdlePolicy::backoff || automatic_sleeps;
  }
  /// Even the two members of a floor may have to share one.
  [[nodiscard]] bool floor_gives_way() const noexcept {
    return plan.cores.empty() && plan.floor_cores[1] < 0;
  }
};

/// With a network, members go there and meet at its addresses. Errors: no_memory.
Expected<std::shared_ptr<Session>> make_session(
    const Plan& plan, std::shared_ptr<const launch::Partitions> network = nullptr);

/// Runs `body` as every member and waits for their end. An error of the body ends the benchmark:
/// the others see it within a fraction of a second. Error: what ended it first, naming the rank.
Expected<void> run_members(const std::shared_ptr<Session>& session, std::uint32_t members,
                           const std::function<Expected<void>(std::uint32_t rank)>& body);

}  // namespace lockstep::bench
