#include "transports/sim/sim_network.hpp"

#include <algorithm>
#include <span>

#include "runtime/assert.hpp"

namespace lockstep::transports {

namespace {

class SimNewcomer final : public Newcomer {
 public:
  SimNewcomer(LinkId link, std::uint64_t peer_adopts)
      : Newcomer(link, {}), peer_adopts_ns(peer_adopts) {}
  const std::uint64_t peer_adopts_ns;
};

}  // namespace

class SimNetwork::Endpoint final : public Transport {
 public:
  Endpoint(SimNetwork& network, std::uint32_t rank) : network_(network), rank_(rank) {}

  std::size_t region_bytes() const noexcept override { return network_.options_.region_bytes; }
  WriteOrder write_order() const noexcept override {
    return network_.options_.order_of_member(rank_);
  }
  WriteOrder read_order(LinkId link) const noexcept override {
    const SimOptions& options = network_.options_;
    const WriteOrder theirs = options.order_of_member(link);
    return theirs == WriteOrder::unordered ? theirs : options.order_of_link(rank_, link);
  }

  std::span<std::byte> source() noexcept override {
    return std::as_writable_bytes(std::span(network_.members_[rank_].source));
  }

  std::span<std::byte> inbound(LinkId link, std::uint32_t copy) noexcept override {
    check(link);
    const std::span<std::byte> region = network_.link(link, rank_).region(copy);
    return region.empty() ? std::as_writable_bytes(std::span(network_.nobody_)) : region;
  }

  Post write(LinkId link, std::uint32_t copy, std::uint64_t offset,
             std::span<const std::byte> bytes, std::uint64_t mark) noexcept override {
    check(link);
    LOCKSTEP_ASSERT(copy < kRegionCopies);
    LOCKSTEP_ASSERT(offset % 8 == 0);
    LOCKSTEP_ASSERT(bytes.size() % 8 == 0);
    LOCKSTEP_ASSERT(reinterpret_cast<std::uintptr_t>(bytes.data()) % 8 == 0);
    LOCKSTEP_ASSERT(offset <= region_bytes());
    LOCKSTEP_ASSERT(bytes.size() <= region_bytes() - offset);
    if (bytes.size() > kInlineBytes) {
      LOCKSTEP_ASSERT(bytes.data() >= source().data());
      LOCKSTEP_ASSERT(bytes.data() + bytes.size() <= source().data() + source().size());
    }
    if (end(link).down) return Post::down;
    if (!network_.take_place(rank_)) return Post::posted;
    const Post post =
        network_.link(rank_, link).post(network_.clock_.now_ns(), copy, offset, bytes, mark);
    network_.refresh(network_.index(rank_, link));
    return post;
  }

  /// As in shared memory, where it is simulated.
  bool posts_are_stores() const noexcept override {
    return write_order() == WriteOrder::first_word_last;
  }

  void flush(LinkId link) noexcept override {
    check(link);
    if (end(link).down) return;
    network_.link(rank_, link).depart(network_.clock_.now_ns());
    network_.refresh(network_.index(rank_, link));
  }

  std::uint64_t completed(LinkId link) const noexcept override {
    check(link);
    return network_.link(rank_, link).completed();
  }

  std::size_t poll(std::span<LinkDown> events) noexcept override {
    std::size_t stored = 0;
    for (std::uint32_t peer = 0; peer < network_.options_.members; ++peer) {
      if (peer == rank_ || end(peer).reported) continue;
      if (stored == events.size()) break;
      events[stored++] = {.link = peer, .reason = end(peer).reason};
      end(peer).reported = true;
    }
    return stored;
  }

  void drop(LinkId link) noexcept override {
    check(link);
    network_.take_down(rank_, link, DownReason::link_failed, false);
    network_.link(link, rank_).release_region();
  }

  Expected<void> adopt(std::unique_ptr<Newcomer> newcomer) override {
    const auto& made = static_cast<const SimNewcomer&>(*newcomer);
    network_.bring_up(rank_, made.link(), made.peer_adopts_ns);
    return {};
  }

  void announce_sleep() noexcept override { network_.announce_sleep(rank_); }
  void announce_awake() noexcept override {
    network_.members_[rank_].sleeping = false;
    network_.members_[rank_].woken = false;
  }
  void ring_doorbells() noexcept override { network_.ring_doorbells(rank_); }
  void renew_keys() noexcept override { ++network_.members_[rank_].renewals; }
  void set_never_sleeps(bool /*never*/) noexcept override {}
  std::span<const int> descriptors() const noexcept override { return {}; }

 private:
  void check(LinkId link) const noexcept {
    LOCKSTEP_ASSERT(link < network_.options_.members);
    LOCKSTEP_ASSERT(link != rank_);
  }
  End& end(LinkId link) noexcept { return network_.ends_[network_.index(rank_, link)]; }

  SimNetwork& network_;
  const std::uint32_t rank_;
};

SimNetwork::SimNetwork(std::uint64_t seed, const SimOptions& options, runtime::ManualClock& clock)
    : options_(options),
      clock_(clock),
      random_(seed),
      nobody_(options.region_bytes / sizeof(CacheLine)) {
  LOCKSTEP_ASSERT(options.members >= 2);
  LOCKSTEP_ASSERT(options.members <= 64);
  LOCKSTEP_ASSERT(options.region_bytes % 64 == 0);
  LOCKSTEP_ASSERT(options.source_bytes % 64 == 0);
  LOCKSTEP_ASSERT(options.queue_writes >= 1);
  const std::size_t pairs = std::size_t{options.members} * options.members;
  members_.resize(options.members);
  links_.resize(pairs);
  ends_.resize(pairs);
  next_ns_.assign(pairs, kNever);
  for (std::uint32_t from = 0; from < options.members; ++from) {
    members_[from].endpoint = std::make_unique<Endpoint>(*this, from);
    members_[from].source.resize(options.source_bytes / sizeof(CacheLine));
    for (std::uint32_t to = 0; to < options.members; ++to) {
      if (from == to) continue;
      SimOptions of_link = options_;
      of_link.write_order = options_.order_of_link(from, to);
      links_[index(from, to)] = std::make_unique<SimLink>(of_link, random_.split());
    }
  }
}

SimNetwork::~SimNetwork() = default;

Transport& SimNetwork::endpoint(std::uint32_t rank) {
  LOCKSTEP_ASSERT(rank < options_.members);
  return *members_[rank].endpoint;
}

bool SimNetwork::is_woken(std::uint32_t rank) const { return members_[rank].woken; }

std::uint64_t SimNetwork::next_event_ns() const { return next_ns_[first_index()]; }

std::size_t SimNetwork::first_index() const {
  if (!first_known_) {
    const auto first = std::min_element(next_ns_.begin(), next_ns_.end());
    first_ = static_cast<std::size_t>(first - next_ns_.begin());
    first_known_ = true;
  }
  return first_;
}

void SimNetwork::advance_to(std::uint64_t now_ns) {
  LOCKSTEP_ASSERT(now_ns >= clock_.now_ns());
  while (true) {
    const std::size_t next = first_index();
    if (next_ns_[next] > now_ns) break;
    // Something posted late may have been due before: time never runs backwards.
    clock_.set_ns(std::max(clock_.now_ns(), next_ns_[next]));
    happen(next);
  }
  clock_.set_ns(now_ns);
}

void SimNetwork::refresh(std::size_t index) {
  const End& end = ends_[index];
  const std::uint64_t next_ns = std::min(links_[index]->next_ns(), end.down ? kNever : end.down_ns);
  // Of equals the lowest index comes first, as in a search of all.
  if (first_known_ && index != first_) {
    const std::uint64_t first_ns = next_ns_[first_];
    if (next_ns < first_ns || (next_ns == first_ns && index < first_)) first_ = index;
  } else {
    first_known_ = false;
  }
  next_ns_[index] = next_ns;
}

void SimNetwork::happen(std::size_t index) {
  const auto from = static_cast<std::uint32_t>(index / options_.members);
  const auto to = static_cast<std::uint32_t>(index % options_.members);
  if (links_[index]->next_ns() > next_ns_[index]) {
    take_down(from, to, ends_[index].reason, true);
    return;
  }
  const SimLink::Progress progress = links_[index]->advance();
  if (observer_ != nullptr) observer_->on_progress(clock_.now_ns(), from, to, progress);
  if (progress.rings) wake(to);
  refresh(index);
}

bool SimNetwork::take_place(std::uint32_t rank) {
  Member& member = members_[rank];
  if (std::ranges::find(deaths_, operations_) != deaths_.end() && !member.died) {
    member.died = true;
    for (std::uint32_t peer = 0; peer < options_.members; ++peer) {
      if (peer == rank) continue;
      link(rank, peer).read_all(clock_.now_ns());
      refresh(index(rank, peer));
    }
  }
  ++operations_;
  return !member.died;
}

void SimNetwork::wake(std::uint32_t rank) {
  Member& member = members_[rank];
  if (!member.sleeping || member.woken) return;
  member.woken = true;
  if (observer_ != nullptr) observer_->on_wake(clock_.now_ns(), rank);
}

void SimNetwork::announce_sleep(std::uint32_t rank) {
  for (std::uint32_t peer = 0; peer < options_.members; ++peer) {
    if (peer == rank || !random_.chance(options_.before_sleep_permille)) continue;
    if (link(peer, rank).is_stopped(clock_.now_ns())) continue;
    link(peer, rank).hasten();
    refresh(index(peer, rank));
  }
  members_[rank].sleeping = true;
  // An event not fetched yet is a readable descriptor.
  const auto ends = std::span(ends_).subspan(index(rank, 0), options_.members);
  members_[rank].woken = !std::ranges::all_of(ends, &End::reported);
}

void SimNetwork::ring_doorbells(std::uint32_t rank) {
  for (std::uint32_t peer = 0; peer < options_.members; ++peer) {
    if (peer != rank && link(rank, peer).ring()) wake(peer);
  }
}

void SimNetwork::take_down(std::uint32_t rank, std::uint32_t peer, DownReason reason, bool report) {
  End& end = ends_[index(rank, peer)];
  if (!end.down) {
    end.down = true;
    end.reason = reason;
    end.reported = !report;
    if (!members_[rank].crashed) link(rank, peer).forget();
    if (report) wake(rank);
    if (observer_ != nullptr) observer_->on_down(clock_.now_ns(), rank, peer);
  } else if (!report) {
    end.reported = true;
  }
  refresh(index(rank, peer));
}

void SimNetwork::schedule_down(std::uint32_t rank, std::uint32_t peer, DownReason reason) {
  End& end = ends_[index(rank, peer)];
  if (end.down || end.down_ns != kNever) return;
  end.reason = reason;
  end.down_ns = clock_.now_ns() + random_.between(1, 2 * options_.delay_max_ns);
  refresh(index(rank, peer));
}

void SimNetwork::fail_link(std::uint32_t rank, std::uint32_t peer, DownReason reason) {
  take_down(rank, peer, reason, true);
  schedule_down(peer, rank, DownReason::link_failed);
}

std::unique_ptr<Newcomer> SimNetwork::make_link(std::uint32_t peer, std::uint64_t peer_adopts_ns) {
  return std::make_unique<SimNewcomer>(peer, peer_adopts_ns);
}

void SimNetwork::bring_up(std::uint32_t rank, std::uint32_t peer, std::uint64_t peer_adopts_ns) {
  End& end = ends_[index(rank, peer)];
  LOCKSTEP_ASSERT(end.down);
  end = {};
  link(peer, rank).renew_region();
  link(rank, peer).renew_sender();
  if (!link(rank, peer).is_stopped(peer_adopts_ns)) link(rank, peer).stop_until(peer_adopts_ns);
  refresh(index(rank, peer));
  refresh(index(peer, rank));
  if (members_[peer].crashed) schedule_down(rank, peer, DownReason::peer_died);
}

void SimNetwork::cut(std::uint32_t from, std::uint32_t to, std::uint64_t until_ns) {
  link(from, to).stop_until(until_ns);
}

void SimNetwork::calm() {
  for (const auto& link : links_) {
    if (link) link->calm();
  }
}

void SimNetwork::crash(std::uint32_t rank) {
  members_[rank].crashed = true;
  for (std::uint32_t peer = 0; peer < options_.members; ++peer) {
    if (peer == rank) continue;
    link(rank, peer).lose_unread();
    refresh(index(rank, peer));
    schedule_down(peer, rank, DownReason::peer_died);
  }
}

}  // namespace lockstep::transports
