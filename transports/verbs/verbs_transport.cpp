#include "transports/verbs/verbs_transport.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <utility>

#include "runtime/assert.hpp"
#include "runtime/clock.hpp"
#include "transports/verbs/parameters.hpp"

namespace lockstep::transports {
namespace {

constexpr int kCompletionsAtOnce = 16;
/// How often a reactor that never sleeps asks the kernel for events of the device: every few
/// hundred microseconds.
constexpr std::uint64_t kPollsPerLook = 4'096;
/// How long a member that leaves waits until its peers have heard of it: many round trips.
constexpr std::uint64_t kFarewellNs = 100'000'000;

/// The places of descriptors(), those that are there.
enum Place : std::size_t { kChannel, kOwnBell, kDevice, kAddress };

DownReason reason_of(ibv_wc_status status) {
  const bool silent = status == IBV_WC_RETRY_EXC_ERR || status == IBV_WC_RNR_RETRY_EXC_ERR;
  return silent ? DownReason::unreachable : DownReason::link_failed;
}

}  // namespace

VerbsTransport::VerbsTransport(const VerbsOptions& options, VerbsDevice&& device)
    : options_(options),
      region_bytes_(options.region_bytes),
      device_(std::move(device)),
      links_(options.members),
      endings_(options.members) {
  LOCKSTEP_ASSERT(options.region_bytes % 64 == 0);
}

Expected<std::unique_ptr<VerbsTransport>> VerbsTransport::open(const VerbsOptions& options) {
  auto device = VerbsDevice::open(options.device);
  if (!device) return std::unexpected(device.error());
  std::unique_ptr<VerbsTransport> transport(new VerbsTransport(options, std::move(*device)));
  if (auto made = transport->make_completions(); !made) return std::unexpected(made.error());
  if (auto made = transport->make_source(options); !made) return std::unexpected(made.error());
  if (auto made = transport->make_descriptors(); !made) return std::unexpected(made.error());
  if (auto chosen = transport->choose_order(); !chosen) return std::unexpected(chosen.error());
  auto nobody = runtime::ZeroPages::create(options.region_bytes);
  if (!nobody) return std::unexpected(nobody.error());
  transport->nobody_ = std::move(*nobody);
  return transport;
}

VerbsTransport::~VerbsTransport() { say_farewell(); }

Expected<void> VerbsTransport::make_completions() {
  channel_.reset(::ibv_create_comp_channel(device_.context()));
  const auto needed = static_cast<int>(links_.size() * (VerbsLink::kSends + VerbsLink::kReceives));
  if (channel_) {
    completions_.reset(::ibv_create_cq(device_.context(), needed, nullptr, channel_.get(), 0));
  }
  if (completions_) return {};
  const int error = errno;
  return fail(
      error == ENOMEM ? ErrorCode::no_memory : ErrorCode::system,
      fmt::format("{} refuses a completion queue of {} entries, {} for each of {} members (it "
                  "has queues of up to {}): {}",
                  device_.name(), needed, VerbsLink::kSends + VerbsLink::kReceives, links_.size(),
                  device_.limits().max_cqe, VerbsDevice::text_of_error(error)));
}

Expected<void> VerbsTransport::make_source(const VerbsOptions& options) {
  if (options.source_bytes == 0) return {};
  constexpr const char* kPurpose = "this member's ring";
  auto source = make_block(options.source_bytes, kPurpose, shape().blocks, notices_);
  if (!source) return std::unexpected(source.error());
  source_ = std::move(*source);
  auto region = device_.register_memory(source_.bytes(), 0, kPurpose);
  if (!region) return std::unexpected(region.error());
  source_region_ = std::move(*region);
  return {};
}

LinkShape VerbsTransport::shape() const noexcept {
  return {.region_bytes = region_bytes_,
          .source_key = source_region_ ? source_region_->lkey : 0,
          .trust_order = options_.trust_order,
          .blocks = {.memory = options_.memory, .core = options_.device.core}};
}

Expected<void> VerbsTransport::make_descriptors() {
  auto bell = runtime::Doorbell::create();
  if (!bell) return std::unexpected(bell.error());
  own_bell_ = std::move(*bell);
  const int flags = ::fcntl(channel_->fd, F_GETFL);
  if (flags < 0 || ::fcntl(channel_->fd, F_SETFL, flags | O_NONBLOCK) != 0) {
    return fail(ErrorCode::system, fmt::format("the completion channel of {}: {}", device_.name(),
                                               std::strerror(errno)));
  }
  auto sockets = SocketWatch::create();
  if (!sockets) return std::unexpected(sockets.error());
  sockets_ = std::move(*sockets);
  auto lines = LifeLines::hold();
  if (!lines) return std::unexpected(lines.error());
  life_lines_ = std::move(*lines);
  notices_.add(life_lines_->notice());
  descriptors_ = {channel_->fd, own_bell_.descriptor(), device_.event_descriptor()};
  if (device_.address_descriptor() >= 0) descriptors_.push_back(device_.address_descriptor());
  descriptors_.insert(descriptors_.end(), {sockets_.descriptor(), life_lines_->descriptor()});
  return {};
}

Expected<void> VerbsTransport::choose_order() {
  VerbsLink asked;
  LinkShape small = shape();
  small.region_bytes = 64;
  small.blocks.memory.huge_pages = HugePages::never;
  if (auto made = asked.create(device_, completions_.get(), 0, small); !made) return made;
  const bool keeps_order = asked.keeps_order();
  asked.drop();
  write_order_ = keeps_order ? WriteOrder::ascending : WriteOrder::unordered;
  notices_.add(
      fmt::format("RDMA by {}: the bytes of one write appear {}", device_.text(),
                  keeps_order ? "in ascending order" : "in any order, so frames carry a checksum"));
  return {};
}

// ---- links come and go -------------------------------------------------------------------------

class VerbsTransport::Arrival final : public Newcomer {
 public:
  Arrival(LinkId number, VerbsLink link, Descriptor its_socket)
      : Newcomer(number, link.notices()), made(std::move(link)), socket(std::move(its_socket)) {}
  VerbsLink made;
  Descriptor socket;
};

class VerbsTransport::Maker final : public LinkMaker {
 public:
  explicit Maker(const VerbsTransport& transport)
      : device_(transport.device_),
        completions_(transport.completions_.get()),
        shape_(transport.shape()),
        offered_(transport.links_.size()) {}
  ~Maker() override {
    for (VerbsLink& link : offered_) link.drop();
  }

  [[nodiscard]] Medium medium() const noexcept override { return Medium::verbs; }
  [[nodiscard]] bool life_lines() const noexcept override { return true; }

  Expected<Offer> offer_for(LinkId link, bool /*near*/) override {
    withdraw(link);
    auto made = offered_[link].create(device_, completions_, link, shape_);
    if (!made) return std::unexpected(made.error());
    return Offer{.parameters = encode(offered_[link].parameters(device_)), .descriptors = {}};
  }

  void withdraw(LinkId link) noexcept override {
    offered_[link].drop();
    offered_[link] = VerbsLink();
  }

  Expected<std::unique_ptr<Newcomer>> make(MetPeer&& peer) override {
    auto parameters = decode(peer.parameters);
    if (!parameters) return std::unexpected(parameters.error());
    VerbsLink& link = offered_[peer.rank];
    if (auto connected = link.connect(device_, *parameters); !connected) {
      return std::unexpected(connected.error());
    }
    return std::make_unique<Arrival>(peer.rank, std::exchange(link, VerbsLink()),
                                     std::move(peer.socket));
  }

 private:
  const VerbsDevice& device_;
  ibv_cq* const completions_;
  const LinkShape shape_;
  std::vector<VerbsLink> offered_;  ///< by rank
};

std::unique_ptr<LinkMaker> VerbsTransport::link_maker() const {
  return std::make_unique<Maker>(*this);
}

Expected<void> VerbsTransport::adopt(std::unique_ptr<Newcomer> newcomer) {
  auto& arrival = static_cast<Arrival&>(*newcomer);
  VerbsLink& link = links_[arrival.link()];
  LOCKSTEP_ASSERT(link.queue_pair() == nullptr);
  if (arrival.socket.open()) {
    auto watched = sockets_.add(arrival.link(), std::move(arrival.socket));
    if (!watched) return watched;
  }
  link = std::move(arrival.made);
  notices_.add(arrival.notices());
  link.tell_never_sleeps(never_sleeps_);
  in_debt_ = true;
  return {};
}

void VerbsTransport::hold_life_line(LinkId link, Descriptor line) noexcept {
  life_lines_->add({.link = link, .socket = std::move(line)});
}

std::span<std::byte> VerbsTransport::inbound(LinkId link, std::uint32_t copy) noexcept {
  const std::span<std::byte> written = links_[link].inbound(copy);
  return written.empty() ? nobody_.bytes() : written;
}

Post VerbsTransport::write(LinkId link, std::uint32_t copy, std::uint64_t offset,
                           std::span<const std::byte> bytes, std::uint64_t mark) noexcept {
  LOCKSTEP_ASSERT(copy < kRegionCopies);
  LOCKSTEP_ASSERT(offset % sizeof(std::uint64_t) == 0);
  LOCKSTEP_ASSERT(bytes.size() % sizeof(std::uint64_t) == 0);
  LOCKSTEP_ASSERT(offset + bytes.size() <= region_bytes_);
  if (bytes.size() > kInlineBytes) {
    LOCKSTEP_ASSERT(bytes.data() >= source_.data());
    LOCKSTEP_ASSERT(bytes.data() + bytes.size() <= source_.data() + source_.size());
  }
  VerbsLink& peer = links_[link];
  const Post post = peer.write(copy, offset, bytes, mark);
  if (post == Post::down && peer.is_up()) give_up(link, DownReason::link_failed);
  return post;
}

void VerbsTransport::flush(LinkId link) noexcept {
  if (!links_[link].flush()) give_up(link, DownReason::link_failed);
}

std::uint64_t VerbsTransport::completed(LinkId link) const noexcept {
  return links_[link].completed();
}

std::size_t VerbsTransport::poll(std::span<LinkDown> events) noexcept {
  if (++polls_ % kPollsPerLook == 0) {
    look_at_sockets();
    read_device_events();
  }
  const std::uint64_t dead = life_lines_->take_ended();
  reap();
  if (dead != 0) bury(dead);
  watch_one_peer();
  if (in_debt_) pay(false);
  return unreported_ == 0 ? 0 : report(events);
}

void VerbsTransport::reap() noexcept {
  std::array<ibv_wc, kCompletionsAtOnce> found;
  // As many as the queue can hold: what comes meanwhile is for the next turn.
  for (int seen = 0; seen <= completions_->cqe; seen += kCompletionsAtOnce) {
    const int count = ::ibv_poll_cq(completions_.get(), kCompletionsAtOnce, found.data());
    for (int i = 0; i < count; ++i) take(found[static_cast<std::size_t>(i)]);
    if (count < kCompletionsAtOnce) return;
  }
}

void VerbsTransport::take(const ibv_wc& completion) noexcept {
  const LinkId link = VerbsLink::link_of(completion.wr_id);
  VerbsLink& peer = links_[link];
  // Some devices leave completions of queue pairs that are gone.
  if (!peer.is_up() || completion.qp_num != peer.queue_pair()->qp_num) return;
  if (completion.status != IBV_WC_SUCCESS) {
    give_up(link, reason_of(completion.status));
  } else if (!peer.complete(completion.wr_id)) {
    give_up(link, DownReason::link_failed);
  } else {
    in_debt_ = in_debt_ || peer.in_debt();
  }
}

void VerbsTransport::watch_one_peer() noexcept {
  // One a turn: its line lies in this core's cache until it changes.
  if (++next_to_watch_ >= links_.size()) next_to_watch_ = 0;
  if (links_[next_to_watch_].peer_left()) {
    fail_link(static_cast<LinkId>(next_to_watch_), DownReason::peer_left);
  }
}

void VerbsTransport::pay(bool last_chance) noexcept {
  in_debt_ = false;
  for (LinkId link = 0; link < links_.size(); ++link) {
    VerbsLink& peer = links_[link];
    if (!peer.in_debt()) continue;
    if (!peer.pay(last_chance)) give_up(link, DownReason::link_failed);
    in_debt_ = in_debt_ || peer.in_debt();
  }
}

void VerbsTransport::read_device_events() noexcept {
  while (const auto event = device_.next_event()) {
    for (LinkId link = 0; link < links_.size(); ++link) {
      const bool concerned =
          event->queue_pair == nullptr || links_[link].queue_pair() == event->queue_pair;
      if (concerned) fail_link(link, event->reason);
    }
  }
}

void VerbsTransport::give_up(LinkId link, DownReason reason) noexcept {
  read_device_events();
  fail_link(link, reason);
}

void VerbsTransport::fail_link(LinkId link, DownReason reason) noexcept {
  if (links_[link].state() == VerbsLink::State::down) return;
  links_[link].take_down();
  endings_[link] = {.unreported = true, .reason = reason};
  ++unreported_;
}

std::size_t VerbsTransport::report(std::span<LinkDown> events) noexcept {
  std::size_t stored = 0;
  for (LinkId link = 0; link < endings_.size() && stored < events.size(); ++link) {
    if (!std::exchange(endings_[link].unreported, false)) continue;
    events[stored++] = {.link = link, .reason = endings_[link].reason};
    --unreported_;
  }
  return stored;
}

void VerbsTransport::drop(LinkId link) noexcept {
  life_lines_->drop(link);
  sockets_.drop(link);
  links_[link].drop();
  if (std::exchange(endings_[link].unreported, false)) --unreported_;
}

void VerbsTransport::set_never_sleeps(bool never) noexcept {
  never_sleeps_ = never;
  for (VerbsLink& link : links_) link.tell_never_sleeps(never);
  in_debt_ = true;
}

void VerbsTransport::ring_doorbells() noexcept {
  for (VerbsLink& link : links_) {
    link.ring();
    in_debt_ = in_debt_ || link.in_debt();
  }
  if (in_debt_) pay(false);
}

void VerbsTransport::announce_sleep() noexcept {
  read_completion_events();
  const int error = ::ibv_req_notify_cq(completions_.get(), 0);
  for (LinkId link = 0; error != 0 && link < links_.size(); ++link) {
    fail_link(link, DownReason::device_lost);
  }
  reap();
  pay(true);
  if (unreported_ != 0) own_bell_.ring();
  // Nothing that the caller looks at next may have been read before the queue was armed.
  std::atomic_thread_fence(std::memory_order_seq_cst);
}

void VerbsTransport::announce_awake() noexcept {
  look_at_sockets();
  std::array<pollfd, kAddress + 1> looked_at{};
  const std::size_t count = std::min(descriptors_.size(), looked_at.size());
  for (std::size_t i = 0; i < count; ++i) {
    looked_at[i] = {.fd = descriptors_[i], .events = POLLIN, .revents = 0};
  }
  if (::poll(looked_at.data(), count, 0) <= 0) return;
  if (looked_at[kChannel].revents != 0) read_completion_events();
  if (looked_at[kOwnBell].revents != 0) own_bell_.reset();
  if (looked_at[kDevice].revents != 0 || looked_at[kAddress].revents != 0) read_device_events();
}

void VerbsTransport::bury(std::uint64_t dead) noexcept {
  for (LinkId link = 0; link < links_.size(); ++link) {
    const bool died = ((dead >> link) & 1U) != 0;
    if (died && !links_[link].peer_left()) fail_link(link, DownReason::peer_died);
  }
}

void VerbsTransport::look_at_sockets() noexcept {
  LinkId ended = 0;
  while (sockets_.take_ended(ended)) {
    fail_link(ended, links_[ended].peer_left() ? DownReason::peer_left : DownReason::peer_died);
  }
}

void VerbsTransport::read_completion_events() noexcept {
  ibv_cq* queue = nullptr;
  void* ignored = nullptr;
  unsigned count = 0;
  while (::ibv_get_cq_event(channel_.get(), &queue, &ignored) == 0) ++count;
  if (count > 0) ::ibv_ack_cq_events(completions_.get(), count);
}

void VerbsTransport::say_farewell() noexcept {
  if (!completions_) return;
  const auto all_heard = [this] {
    return std::ranges::all_of(links_,
                               [](const VerbsLink& link) { return !link.is_up() || link.idle(); });
  };
  for (LinkId link = 0; link < links_.size(); ++link) {
    if (!links_[link].say_farewell()) fail_link(link, DownReason::link_failed);
  }
  if (all_heard()) return;
  const runtime::TscClock clock;
  const std::uint64_t deadline_ns = clock.now_ns() + kFarewellNs;
  while (!all_heard() && clock.now_ns() < deadline_ns) reap();
}

VerbsStatistics VerbsTransport::statistics() const noexcept {
  VerbsStatistics sum;
  for (const VerbsLink& link : links_) {
    const SendQueue::Counts& counts = link.counts();
    sum.work_requests += counts.work_requests;
    sum.chains += counts.chains;
    sum.signalled += counts.signalled;
    sum.completions += counts.completions;
    sum.doorbells += counts.doorbells;
  }
  return sum;
}

}  // namespace lockstep::transports
