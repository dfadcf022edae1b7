#include "transports/greeter.hpp"

#include <fmt/format.h>

#include <cstring>
#include <utility>

#include "runtime/side_thread.hpp"
#include "transports/hello/sealed_channel.hpp"
#include "transports/hello/socket_channel.hpp"

namespace lockstep::transports {
namespace {

/// How often those who are on their way are looked at; nobody is: how long the thread sleeps.
constexpr int kLookMs = 5;
constexpr int kSleepMs = 1'000;

MeetingOptions fitted(MeetingOptions options, const LinkMaker& maker) {
  options.medium = maker.medium();
  options.descriptor_count = maker.descriptor_count();
  options.life_lines = maker.life_lines();
  return options;
}

}  // namespace

Greeter::Greeter(Options options, std::unique_ptr<MeetingPlace> place,
                 std::unique_ptr<LinkMaker> maker, Examine examine)
    : key_(std::move(options.key)),
      encryption_(options.encryption),
      machine_(options.meeting.machine),
      doorbell_(options.doorbell),
      place_(std::move(place)),
      maker_(std::move(maker)),
      meeting_(
          fitted(std::move(options.meeting), *maker_), *place_,
          [this](std::uint32_t rank, bool near) { return maker_->offer_for(rank, near); },
          std::move(examine), [this](MetPeer&& peer) { return keep(std::move(peer)); }) {}

Greeter::~Greeter() {
  if (!started_) return;
  over_.store(true, std::memory_order_release);
  bell_.ring();
  pthread_join(thread_, nullptr);
}

Expected<bool> Greeter::gather() {
  auto bell = runtime::Doorbell::create();
  if (!bell) return std::unexpected(bell.error());
  bell_ = std::move(*bell);
  if (auto opened = meeting_.open(); !opened) return std::unexpected(opened.error());
  if (auto gathered = meeting_.gather(); !gathered) return std::unexpected(gathered.error());
  notices_ = meeting_.notices();
  const bool founds = meeting_.stage() == Meeting::Stage::gathering;
  if (auto started = start(); !started) return std::unexpected(started.error());
  return founds;
}

// ---- the reactor's side ------------------------------------------------------------------------

Expected<void> Greeter::start() {
  const int error = runtime::start_side_thread(thread_, "lockstep-greet", &Greeter::run, this);
  started_ = error == 0;
  if (started_) return {};
  return fail(ErrorCode::system,
              fmt::format("no thread that answers who wants to join: {}; raise the limit of "
                          "processes (ulimit -u) if it is reached",
                          std::strerror(error)));
}

std::vector<Arrival> Greeter::take() {
  const std::lock_guard lock(mutex_);
  news_.store(false, std::memory_order_relaxed);
  return std::exchange(arrivals_, {});
}

Expected<void> Greeter::status() {
  const std::lock_guard lock(mutex_);
  return status_;
}

std::string Greeter::hindrance() {
  const std::lock_guard lock(mutex_);
  return hindrance_;
}

void Greeter::show(const Standing& standing, std::uint64_t broken) {
  {
    const std::lock_guard lock(mutex_);
    orders_.shown = true;
    orders_.standing = standing;
    orders_.broken = broken;
  }
  bell_.ring();
}

void Greeter::forget(LinkId link) {
  {
    const std::lock_guard lock(mutex_);
    orders_.forgotten |= std::uint64_t{1} << link;
  }
  bell_.ring();
}

void Greeter::call(LinkId link, Purpose purpose) {
  {
    const std::lock_guard lock(mutex_);
    orders_.calls.emplace_back(link, purpose);
  }
  bell_.ring();
}

// ---- the thread's side -------------------------------------------------------------------------

void* Greeter::run(void* self) {
  static_cast<Greeter*>(self)->serve();
  return nullptr;
}

void Greeter::serve() {
  while (!over_.load(std::memory_order_acquire)) {
    meeting_.wait(bell_.descriptor(), meeting_.idle() ? kSleepMs : kLookMs);
    bell_.reset();
    obey();
    auto looked = meeting_.step();
    refused_.store(meeting_.refused(), std::memory_order_relaxed);
    if (meeting_.stage() == Meeting::Stage::joining) {
      const std::lock_guard lock(mutex_);
      hindrance_ = meeting_.hindrance();
    }
    if (looked) continue;
    fail_for_good(looked.error());
    // Whoever joins ends; a group that runs goes on, with one try a second.
    meeting_.wait(bell_.descriptor(), kSleepMs);
  }
}

void Greeter::obey() {
  Orders orders;
  {
    const std::lock_guard lock(mutex_);
    orders = std::exchange(orders_, {});
  }
  if (orders.shown) meeting_.run(orders.standing, orders.broken);
  for (LinkId link = 0; link < kMaxMembers; ++link) {
    if ((orders.forgotten >> link & 1U) != 0) meeting_.forget(link);
  }
  for (const auto& [link, purpose] : orders.calls) meeting_.call(link, purpose);
}

/// The keys that a link is made with, if any.
void Greeter::settle_keys(MetPeer& peer) const {
  if (!peer.keys) return;
  if (!seals(encryption_, machine_, peer.machine)) {
    peer.keys.reset();
    return;
  }
  peer.keys->cipher = common_cipher(machine_, peer.machine);
}

Expected<std::unique_ptr<StateChannel>> Greeter::state_channel(MetPeer&& peer) {
  if (peer.keys) return SealedChannel::create(std::move(peer.socket), *peer.keys);
  return SocketChannel::create(std::move(peer.socket));
}

Expected<void> Greeter::keep(MetPeer&& peer) {
  Arrival arrival{.link = peer.rank,
                  .purpose = peer.purpose,
                  .standing = peer.standing,
                  .introduction = std::move(peer.introduction)};
  switch (peer.purpose) {
    case Purpose::link:
    case Purpose::mend: {
      settle_keys(peer);
      const LinkChoice configured = configured_choice(maker_->medium(), peer.keys != nullptr);
      auto made = maker_->make(std::move(peer));
      if (!made) return std::unexpected(made.error());
      arrival.newcomer = std::move(*made);
      arrival.choice = arrival.newcomer->choice().value_or(configured);
      break;
    }
    case Purpose::life_line:
      arrival.life_line = std::move(peer.socket);
      break;
    case Purpose::state: {
      settle_keys(peer);
      auto channel = state_channel(std::move(peer));
      if (!channel) return std::unexpected(channel.error());
      arrival.state = std::move(*channel);
      break;
    }
    case Purpose::question:
      break;
  }
  hand_over(std::move(arrival));
  return {};
}

void Greeter::hand_over(Arrival arrival) {
  {
    const std::lock_guard lock(mutex_);
    // Whoever comes anew before it was looked at comes in place of its former self.
    std::erase_if(arrivals_, [&](const Arrival& before) {
      return before.link == arrival.link && before.purpose == arrival.purpose;
    });
    arrivals_.push_back(std::move(arrival));
    news_.store(true, std::memory_order_release);
  }
  if (doorbell_ >= 0) runtime::Doorbell::ring_descriptor(doorbell_);
}

void Greeter::fail_for_good(const Error& error) {
  {
    const std::lock_guard lock(mutex_);
    if (status_) status_ = std::unexpected(error);
    news_.store(true, std::memory_order_release);
  }
  if (doorbell_ >= 0) runtime::Doorbell::ring_descriptor(doorbell_);
}

}  // namespace lockstep::transports
