#include "bench/session.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <optional>

#include "bench/floor_ping.hpp"
#include "bench/floor_stream.hpp"
#include "bench/stamps.hpp"

namespace lockstep::bench {
namespace {

template <class T>
Expected<void> allocate(launch::SharedArray<T>& array, std::size_t count) {
  auto made = launch::SharedArray<T>::create(count);
  if (!made) return std::unexpected(made.error());
  array = std::move(*made);
  return {};
}

/// Each floor's memory starts on a page.
std::size_t whole_pages(std::size_t bytes) noexcept { return (bytes + 4'095) / 4'096 * 4'096; }

std::size_t ping_bytes(std::uint64_t payload_bytes) noexcept {
  return whole_pages(FloorPing::memory_bytes(payload_bytes));
}

std::size_t stream_bytes(std::uint64_t payload_bytes) noexcept {
  return whole_pages(FloorStream::memory_bytes(payload_bytes));
}

std::size_t stamp_words(const Plan& plan) {
  if (plan.options.scenario != Scenario::latency) return 0;
  constexpr std::uint64_t kWanted = 2'000'000;
  return Stamps::words_for(kWanted, plan.options.members);
}

/// What the floors need when the medium is a network.
Expected<void> make_network(Session& session) {
  const Options& options = session.plan.options;
  if (options.transport != "tcp" && options.transport != "udp") return {};
  auto mesh = SocketMesh::create(options.members, options.transport == "udp");
  if (!mesh) return std::unexpected(mesh.error());
  session.mesh.emplace(std::move(*mesh));
  return {};
}

std::string unique_group_name() {
  static std::atomic<std::uint32_t> made{0};
  return fmt::format("bench-{}-{}", getpid(), made.fetch_add(1));
}

/// Every port of such a network is free, but for what a group before this one left in TIME_WAIT.
std::vector<std::string> addresses_in(const launch::Partitions& network, std::uint32_t members) {
  constexpr std::uint32_t kFirstPort = 10'000;
  constexpr std::uint32_t kPorts = 20'000;
  static std::atomic<std::uint32_t> made{0};
  const std::uint32_t port = kFirstPort + made.fetch_add(1) % kPorts;
  std::vector<std::string> addresses;
  for (std::uint32_t rank = 0; rank < members; ++rank) {
    addresses.push_back(fmt::format("{}:{}", network.address(rank), port));
  }
  return addresses;
}

std::uint64_t timeout_ns(const Options& options) {
  constexpr double kOverheadSeconds = 90;  // joining, warm-up, and the longest wait in between
  // A block of the floor takes a thousand round trips whatever their size.
  const double block_seconds = static_cast<double>(options.payload_bytes) * 1e3 * 20e-9;
  return static_cast<std::uint64_t>((options.seconds * 3 + kOverheadSeconds + block_seconds) * 1e9);
}

/// What to tell the user when a benchmark failed: a member that was killed, above what the others
/// said about it, above those that merely took too long.
Expected<void> judge(Control& control, const std::vector<launch::MemberEnd>& ends) {
  const auto killed =
      std::ranges::find(ends, launch::Ending::signalled, &launch::MemberEnd::ending);
  const std::optional<Error> failure = control.first_failure();
  if (killed != ends.end()) {
    return fail(ErrorCode::member_lost,
                fmt::format("rank {} ended during the benchmark: {}{}{}", killed->rank,
                            killed->words, failure ? "; " : "", failure ? failure->message : ""));
  }
  if (failure) return std::unexpected(*failure);
  for (const launch::MemberEnd& end : ends) {
    if (end.good()) continue;
    return fail(ErrorCode::timed_out, fmt::format("rank {}: {}", end.rank, end.words));
  }
  return {};
}

}  // namespace

std::span<std::byte> Session::ping_memory() const noexcept {
  return floor_memory.elements().subspan(0, ping_bytes(plan.options.payload_bytes));
}

std::span<std::byte> Session::stream_memory(std::size_t direction) const noexcept {
  const std::size_t bytes = stream_bytes(plan.options.payload_bytes);
  return floor_memory.elements().subspan(ping_bytes(plan.options.payload_bytes) + direction * bytes,
                                         bytes);
}

Expected<std::shared_ptr<Session>> make_session(const Plan& plan,
                                                std::shared_ptr<const launch::Partitions> network) {
  auto session = std::make_shared<Session>();
  session->plan = plan;
  session->group_name = unique_group_name();
  if (network != nullptr) {
    session->plan.addresses = addresses_in(*network, plan.options.members);
    session->network = std::move(network);
  }
  const std::uint32_t members = plan.options.members;
  for (auto made :
       {allocate(session->control_page, 1), allocate(session->records, members),
        allocate(session->totals, 1), allocate(session->block_subjects, kMostBlocks * members),
        allocate(session->block_floors, kMostBlocks), allocate(session->stamps, stamp_words(plan)),
        allocate(session->lanes, 4), allocate(session->floor_arrived, members * members),
        allocate(session->floor_memory, ping_bytes(plan.options.payload_bytes) +
                                            2 * stream_bytes(plan.options.payload_bytes))}) {
    if (!made) return std::unexpected(made.error());
  }
  if (auto made = make_network(*session); !made) return std::unexpected(made.error());
  return session;
}

Expected<void> run_members(const std::shared_ptr<Session>& session, std::uint32_t members,
                           const std::function<Expected<void>(std::uint32_t rank)>& body) {
  // By value: a thread that outstays its time still needs the session.
  const auto guarded = [session, body](std::uint32_t rank) {
    const auto done = body(rank);
    if (done) return 0;
    session->control().fail_with(rank, done.error());
    return 1;
  };
  const Options& options = session->plan.options;
  auto ends = launch::run_members(members, options.as, timeout_ns(options), guarded);
  if (!ends) return std::unexpected(ends.error());
  return judge(session->control(), *ends);
}

}  // namespace lockstep::bench
