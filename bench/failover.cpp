#include "bench/failover.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <vector>

#include "bench/blocks.hpp"
#include "bench/death_floor.hpp"
#include "lockstep/lockstep.hpp"
#include "runtime/clock.hpp"
#include "tools/launch/histogram.hpp"
#include "tools/launch/shared_array.hpp"
#include "tools/launch/text.hpp"

namespace lockstep::bench {
namespace {

constexpr std::uint64_t kSecondNs = 1'000'000'000;
constexpr std::uint64_t kMillisecondNs = 1'000'000;
/// Every member publishes at most this often: busy, and far from the ring's end.
constexpr std::uint64_t kPaceNs = 50'000;
/// Messages that everybody delivers before the kill; enough that nobody still warms up.
constexpr std::uint64_t kWarmUpMessages = 300;
constexpr std::uint64_t kRunTimeoutNs = 60 * kSecondNs;

/// What one member tells of one run. Its only writer; zero: it has not happened.
struct Sighting {
  std::uint64_t delivered;       ///< messages
  std::uint64_t unreachable_ns;  ///< when it first missed the victim
  std::uint64_t installed_ns;    ///< when it installed the next view
  std::uint64_t resumed_ns;      ///< when it applied the first message there
  std::uint64_t members;         ///< of its newest view
  std::uint64_t evictions;
  std::uint64_t pid;
  std::uint64_t idle;
  std::array<char, 256> complaint;
};

/// What the process that kills tells. Its only writer.
struct Strike {
  std::uint64_t killed_ns;
  std::uint64_t over;  ///< the members may end
  std::array<char, 256> complaint;
};

struct Shared {
  launch::SharedArray<Sighting> sightings;
  launch::SharedArray<Strike> strike;  ///< one
};

std::uint64_t seen(const std::uint64_t& word) {
  return std::atomic_ref(const_cast<std::uint64_t&>(word)).load(std::memory_order_acquire);
}
void show(std::uint64_t& word, std::uint64_t value) {
  std::atomic_ref(word).store(value, std::memory_order_release);
}

class Survivor final : public StateMachine {
 public:
  Survivor(const runtime::TscClock& clock, Sighting& sighting, const Strike& strike)
      : clock_(clock), sees_(sighting), strike_(strike) {}

  void apply(const Message& /*message*/) override {
    show(sees_.delivered, sees_.delivered + 1);
    if (sees_.installed_ns != 0 && sees_.resumed_ns == 0) show(sees_.resumed_ns, clock_.now_ns());
  }
  void view_installed(const View& view) override {
    if (seen(strike_.over) != 0) return;  // the others end, too
    sees_.members = view.members.size();
    if (view.id > 1 && sees_.installed_ns == 0) show(sees_.installed_ns, clock_.now_ns());
  }
  void member_unreachable(const MemberUnreachable& /*lost*/) override {
    if (sees_.unreachable_ns == 0) show(sees_.unreachable_ns, clock_.now_ns());
  }
  void evicted(const View& /*view*/) override {
    if (seen(strike_.over) == 0) show(sees_.evictions, 1);
  }

 private:
  const runtime::TscClock& clock_;
  Sighting& sees_;
  const Strike& strike_;
};

int live(const Plan& plan, const std::string& name, std::uint32_t rank,
         const runtime::TscClock& clock, Shared& shared) {
  Sighting& sees = shared.sightings[rank];
  const auto memory = ResidentMemory::touch(plan.options.resident_mib);
  if (!memory) {
    launch::store_text(sees.complaint, memory.error().message);
    return 1;
  }
  Reactor reactor({.idle = plan.options.idle, .core = plan.cores.empty() ? -1 : plan.cores[rank]});
  Survivor survivor(clock, sees, shared.strike[0]);
  auto group = Group::join(reactor, group_config(plan, name, rank), survivor);
  if (!group) {
    launch::store_text(sees.complaint, group.error().message);
    return 1;
  }
  sees.idle = static_cast<std::uint64_t>(reactor.idle_policy());
  show(sees.pid, static_cast<std::uint64_t>(getpid()));
  std::uint64_t due_ns = 0;
  while (seen(shared.strike[0].over) == 0) {
    const std::uint64_t now_ns = clock.now_ns();
    if (now_ns >= due_ns) {
      if (const auto slot = group->claim(plan.options.payload_bytes)) {
        slot->publish();
        due_ns = now_ns + kPaceNs;
      }
    }
    if (!reactor.poll_once()) reactor.idle(kPaceNs);
  }
  return 0;
}

/// One group, one kill.
class Run {
 public:
  Run(const Plan& plan, const runtime::TscClock& clock, std::uint32_t victim)
      : plan_(plan), clock_(clock), victim_(victim) {}

  Expected<void> make();
  /// Starts, kills, waits for the survivors, and ends everybody.
  Expected<void> strike(const std::string& name);

  [[nodiscard]] std::uint64_t blackout_ns() const {
    return latest(&Sighting::resumed_ns) - shared_.strike[0].killed_ns;
  }
  [[nodiscard]] std::uint64_t change_ns() const;
  [[nodiscard]] std::uint64_t false_evictions() const;
  [[nodiscard]] IdlePolicy idle() const {
    return static_cast<IdlePolicy>(shared_.sightings[victim_].idle);
  }

 private:
  int kill_one();
  template <class Condition>
  Expected<void> wait_for_all(const char* what, Condition&& condition, bool victim_too);
  [[nodiscard]] std::uint64_t latest(std::uint64_t Sighting::* word) const;
  [[nodiscard]] std::string complaint() const;

  const Plan& plan_;
  const runtime::TscClock& clock_;
  std::uint32_t victim_;
  Shared shared_;
};

Expected<void> Run::make() {
  auto sightings = launch::SharedArray<Sighting>::create(plan_.options.members);
  auto strike = launch::SharedArray<Strike>::create(1);
  if (!sightings) return std::unexpected(sightings.error());
  if (!strike) return std::unexpected(strike.error());
  shared_ = {std::move(*sightings), std::move(*strike)};
  return {};
}

Expected<void> Run::strike(const std::string& name) {
  const std::uint32_t members = plan_.options.members;
  const auto ends = launch::run_members(
      members + 1, launch::As::processes, 2 * kRunTimeoutNs, [&](std::uint32_t rank) {
        return rank < members ? live(plan_, name, rank, clock_, shared_) : kill_one();
      });
  if (!ends) return std::unexpected(ends.error());
  if (!(*ends)[members].good()) {
    return fail(ErrorCode::timed_out, fmt::format("run with rank {} as the victim: {}", victim_,
                                                  std::string(shared_.strike[0].complaint.data())));
  }
  for (const launch::MemberEnd& end : *ends) {
    if (end.good() || end.rank == victim_) continue;
    return fail(ErrorCode::member_lost,
                fmt::format("rank {}, a survivor: {}", end.rank, end.words));
  }
  return {};
}

// In a process beside the members: waits, kills, and tells the rest when to end.
int Run::kill_one() {
  const auto warm = [](const Sighting& sees) { return seen(sees.delivered) >= kWarmUpMessages; };
  const auto resumed = [](const Sighting& sees) { return seen(sees.resumed_ns) != 0; };
  Strike& strike = shared_.strike[0];
  auto done = wait_for_all("the members to be busy", warm, true);
  if (done) {
    strike.killed_ns = clock_.now_ns();
    ::kill(static_cast<pid_t>(seen(shared_.sightings[victim_].pid)), SIGKILL);
    done = wait_for_all("the survivors to deliver in the next view", resumed, false);
  }
  show(strike.over, 1);
  if (done) return 0;
  launch::store_text(strike.complaint, done.error().message);
  return 1;
}

template <class Condition>
Expected<void> Run::wait_for_all(const char* what, Condition&& condition, bool victim_too) {
  const std::uint64_t deadline_ns = clock_.now_ns() + kRunTimeoutNs;
  for (std::uint32_t rank = 0; rank < plan_.options.members; ++rank) {
    if (rank == victim_ && !victim_too) continue;
    while (!condition(shared_.sightings[rank])) {
      if (const std::string why = complaint(); !why.empty()) {
        return fail(ErrorCode::member_lost, why);
      }
      if (clock_.now_ns() > deadline_ns) {
        return fail(ErrorCode::timed_out,
                    fmt::format("waited {} s for {}", kRunTimeoutNs / kSecondNs, what));
      }
      const timespec pause{.tv_sec = 0, .tv_nsec = kMillisecondNs};
      nanosleep(&pause, nullptr);
    }
  }
  return {};
}

std::string Run::complaint() const {
  for (const Sighting& sees : shared_.sightings.elements()) {
    if (sees.complaint[0] != '\0') return sees.complaint.data();
  }
  return {};
}

std::uint64_t Run::latest(std::uint64_t Sighting::* word) const {
  std::uint64_t time_ns = 0;
  for (std::uint32_t rank = 0; rank < plan_.options.members; ++rank) {
    if (rank != victim_) time_ns = std::max(time_ns, shared_.sightings[rank].*word);
  }
  return time_ns;
}

std::uint64_t Run::change_ns() const {
  std::uint64_t first_ns = ~std::uint64_t{0};
  for (std::uint32_t rank = 0; rank < plan_.options.members; ++rank) {
    const std::uint64_t at_ns = shared_.sightings[rank].unreachable_ns;
    if (rank != victim_ && at_ns != 0) first_ns = std::min(first_ns, at_ns);
  }
  return latest(&Sighting::installed_ns) - first_ns;
}

std::uint64_t Run::false_evictions() const {
  std::uint64_t count = 0;
  std::uint64_t fewest = plan_.options.members;
  for (std::uint32_t rank = 0; rank < plan_.options.members; ++rank) {
    if (rank == victim_) continue;
    count += shared_.sightings[rank].evictions;
    fewest = std::min(fewest, shared_.sightings[rank].members);
  }
  return std::max(count, plan_.options.members - 1 - fewest);
}

}  // namespace

Expected<Result> run_failover(const Plan& plan) {
  const runtime::TscClock clock;
  launch::Histogram blackout;
  launch::Histogram change;
  launch::Histogram floor;
  std::vector<BlockPair> pairs;
  Result result;
  result.false_evictions = 0;
  for (std::uint32_t i = 0; i < plan.options.runs; ++i) {
    Run run(plan, clock, i % plan.options.members);
    if (auto made = run.make(); !made) return std::unexpected(made.error());
    const auto death_ns = time_a_death(clock, plan.options.transport, plan.options.resident_mib);
    if (!death_ns) return std::unexpected(death_ns.error());
    if (auto struck = run.strike(fmt::format("failover-{}-{}", getpid(), i)); !struck) {
      return std::unexpected(struck.error());
    }
    blackout.record(run.blackout_ns());
    change.record(run.change_ns());
    floor.record(*death_ns);
    pairs.push_back({static_cast<double>(run.blackout_ns()), static_cast<double>(*death_ns)});
    *result.false_evictions += run.false_evictions();
    result.idle = to_string(run.idle());
  }
  result.runs = plan.options.runs;
  result.blackout_ns = summarize(blackout);
  result.change_ns = summarize(change);
  result.floor_ns = summarize(floor);
  result.ratio_p50 = median_ratio(pairs);
  result.blocks = pairs.size();
  return result;
}

}  // namespace lockstep::bench
