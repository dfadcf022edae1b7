#include "bench/bodies.hpp"

#include <sys/resource.h>

#include <memory>

#include "bench/floor.hpp"
#include "bench/floor_seat.hpp"
#include "bench/member.hpp"
#include "bench/patience.hpp"
#include "bench/rounds.hpp"
#include "bench/scenes.hpp"

namespace lockstep::bench {
namespace {

std::uint64_t cpu_ns(launch::As as) {
  rusage usage{};
  // A member is a whole process or one thread; in both cases it has no other thread.
  getrusage(as == launch::As::processes ? RUSAGE_SELF : RUSAGE_THREAD, &usage);
  const auto ns = [](const timeval& time) {
    return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 +
           static_cast<std::uint64_t>(time.tv_usec) * 1'000;
  };
  return ns(usage.ru_utime) + ns(usage.ru_stime);
}

std::int32_t floor_core(const Plan& plan, std::uint32_t rank) {
  return plan.cores.empty() ? plan.floor_cores[rank] : plan.cores[rank];
}

/// Ping-pong, then stream: one floor block of the floor scenario.
class FloorRun {
 public:
  FloorRun(Session& session, std::uint32_t rank)
      : session_(session),
        rank_(rank),
        ping_(make_ping_floor(session, rank)),
        stream_(make_stream_floor(session, rank)) {}

  Expected<void> block(bool measured) {
    if (rank_ == 1) {
      if (auto echoed = ping_->echo(); !echoed) return echoed;
    } else {
      block_.clear();
      const auto complete =
          ping_->measure(measured ? PingFloor::kRoundTrips : PingFloor::kWarmUpRoundTrips, block_);
      if (!complete) return std::unexpected(complete.error());
    }
    const auto streamed = stream_->run();
    if (!streamed) return std::unexpected(streamed.error());
    if (rank_ == 0 && measured) add(*streamed);
    return {};
  }

 private:
  void add(const StreamFloor::Block& streamed) {
    Totals& totals = session_.totals[0];
    totals.floor.merge(block_);
    totals.floor_messages += streamed.messages;
    totals.floor_stream_ns += streamed.duration_ns;
    ++totals.blocks;
  }

  Session& session_;
  std::uint32_t rank_;
  std::unique_ptr<PingFloor> ping_;
  std::unique_ptr<StreamFloor> stream_;
  launch::Histogram block_;
};

}  // namespace

Expected<void> group_body(Session& session, std::uint32_t rank) {
  if (session.network != nullptr) {
    if (auto inside = session.network->network_of(rank).enter(); !inside) return inside;
  }
  auto member = Member::join(session, rank);
  if (!member) return std::unexpected(member.error());
  if (session.plan.options.scenario == Scenario::latency) {
    LatencyScene scene(session, **member);
    return Rounds(session, **member, scene).run();
  }
  ThroughputScene scene(session, **member);
  return Rounds(session, **member, scene).run();
}

Expected<void> idle_body(Session& session, std::uint32_t rank) {
  auto joined = Member::join(session, rank);
  if (!joined) return std::unexpected(joined.error());
  Member& member = **joined;
  const Options& options = session.plan.options;
  Control& control = session.control();
  control.arrived.add(1);
  auto together = member.turn_until("all members to join",
                                    [&] { return control.arrived.load() == options.members; });
  if (!together) return together;

  std::uint64_t no_deadline_ns = ~std::uint64_t{0};
  const std::uint64_t start_ns = session.clock.now_ns();
  const std::uint64_t start_cpu_ns = cpu_ns(options.as);
  const std::uint64_t end_ns = start_ns + static_cast<std::uint64_t>(options.seconds * 1e9);
  std::uint64_t now_ns = start_ns;
  for (; now_ns < end_ns; now_ns = session.clock.now_ns()) {
    member.turn(end_ns - now_ns);
    if (auto healthy = member.check("", no_deadline_ns); !healthy) return healthy;
  }
  const double share = static_cast<double>(cpu_ns(options.as) - start_cpu_ns) /
                       static_cast<double>(now_ns - start_ns);
  session.records[rank].cpu_share_ppb = static_cast<std::uint64_t>(share * 1e9);
  return member.finish();
}

Expected<void> floor_body(Session& session, std::uint32_t rank) {
  const FloorSeat seat(floor_core(session.plan, rank));
  Control& control = session.control();
  auto run = std::make_unique<FloorRun>(session, rank);
  Patience patience(session.clock, session.floor_gives_way());
  const std::uint64_t end_ns =
      session.clock.now_ns() + static_cast<std::uint64_t>(session.plan.options.seconds * 1e9);
  for (std::uint64_t block = 1;; ++block) {
    if (rank == 0) {
      const bool over = block > Rounds::kWarmUpBlocks + 1 && session.clock.now_ns() >= end_ns;
      control.phase.store(Phase{block, over ? PhaseKind::finish : PhaseKind::floor}.word());
    }
    patience.renew();
    while (Phase::of(control.phase.load()).block != block) {
      if (!patience.wait()) return silent_pair();
    }
    if (Phase::of(control.phase.load()).kind == PhaseKind::finish) return {};
    if (auto done = run->block(block > Rounds::kWarmUpBlocks); !done) return done;
  }
}

}  // namespace lockstep::bench
