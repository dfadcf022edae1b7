#include "runtime/reactor.hpp"

#include <fmt/format.h>
#include <sched.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>

#include "runtime/assert.hpp"
#include "runtime/scheduling.hpp"
#include "runtime/topology.hpp"

namespace lockstep::runtime {

// The loop. A duty's turn is Views::step in membership/views.cpp.

void Reactor::run() {
  while (!stopped_.load(std::memory_order_relaxed)) {
    if (!poll_once()) idle(~std::uint64_t{0});
  }
}

bool Reactor::poll_once() {
  bool busy = false;
  for (Duty* duty : duties_) busy |= duty->step(now_ns_);
  // Reading the clock costs as much as the rest of an empty turn. So it is read after the work it
  // would delay, and by a spinning reactor in every eighth empty turn only.
  if (busy || !spinning_ || ++turns_ % kSpinsPerClockReading == 0) now_ns_ = clock_.now_ns();
  if (busy) idle_since_ns_ = 0;
  spinning_ = false;
  return busy;
}

void Reactor::idle(std::uint64_t max_ns) {
  if (policy_ == IdlePolicy::spin) {
    spinning_ = true;
    return;
  }
  if (policy_ == IdlePolicy::yield) {
    sched_yield();
    return;
  }
  // Backoff: spin briefly, since the answer is usually under way; yield for a while, since the peer
  // may need this very core; then sleep until somebody rings. To stay awake for about as long as a
  // sleep and a wake-up take costs twice the best choice at most (Karlin et al., "Empirical studies
  // of competitive spinning", SOSP 1991).
  if (idle_since_ns_ == 0) {
    idle_since_ns_ = now_ns_;
    yields_ = 0;
  } else if (now_ns_ - idle_since_ns_ < config_.backoff_spin_ns) {
    return;
  } else if (yields_ < config_.backoff_yields) {
    ++yields_;
    sched_yield();
  } else {
    sleep(max_ns);
  }
}

void Reactor::sleep(std::uint64_t max_ns) {
  // Sequentially consistent: either the poster of work sees `sleeping_` (wake_if_sleeping), or the
  // look that follows sees the work.
  sleeping_.store(true, std::memory_order_seq_cst);
  const bool slept = prepare_to_sleep();
  if (slept) {
    wait(max_ns);
    for (Duty* duty : duties_) duty->woke();
    if (sleeps_) sleeps_->add();
  }
  sleeping_.store(false, std::memory_order_relaxed);
  // Woken for nothing, it sleeps again at once.
  if (!slept) idle_since_ns_ = 0;
  now_ns_ = clock_.now_ns();
}

bool Reactor::prepare_to_sleep() noexcept {
  if (stopped_.load(std::memory_order_relaxed)) return false;
  for (std::size_t i = 0; i < duties_.size(); ++i) {
    if (duties_[i]->prepare_to_sleep()) continue;
    for (std::size_t k = 0; k < i; ++k) duties_[k]->woke();
    return false;
  }
  return true;
}

void Reactor::wait(std::uint64_t max_ns) noexcept {
  waited_on_.clear();
  waited_on_.push_back({.fd = doorbell_.descriptor(), .events = POLLIN, .revents = 0});
  const std::uint64_t now = clock_.now_ns();
  std::uint64_t timeout_ns = max_ns;
  for (const Duty* duty : duties_) {
    for (const int descriptor : duty->descriptors()) {
      waited_on_.push_back({.fd = descriptor, .events = POLLIN, .revents = 0});
    }
    const std::uint64_t deadline = duty->deadline_ns();
    timeout_ns = std::min(timeout_ns, deadline > now ? deadline - now : 0);
  }
  constexpr std::uint64_t kSecond = 1'000'000'000;
  timeout_ns = std::min(timeout_ns, 3'600 * kSecond);
  const timespec timeout{.tv_sec = static_cast<time_t>(timeout_ns / kSecond),
                         .tv_nsec = static_cast<long>(timeout_ns % kSecond)};
  ppoll(waited_on_.data(), waited_on_.size(), &timeout, nullptr);
  if (waited_on_.front().revents != 0) doorbell_.reset();
}

void Reactor::stop() noexcept {
  stopped_.store(true, std::memory_order_seq_cst);
  doorbell_.ring();
}

void Reactor::wake_if_sleeping() noexcept {
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (sleeping_.load(std::memory_order_relaxed)) doorbell_.ring();
}

// ---- set-up ------------------------------------------------------------------------------------

Reactor::Reactor(const ReactorConfig& config)
    : config_(config), policy_(config.idle), now_ns_(clock_.now_ns()) {
  status_ = set_up();
}

Expected<void> Reactor::set_up() {
  if (auto valid = validate(config_); !valid) return valid;
  auto bell = Doorbell::create();
  if (!bell) return std::unexpected(bell.error());
  doorbell_ = std::move(*bell);
  auto counters = Counters::open(config_.counters_file);
  if (!counters) return std::unexpected(counters.error());
  counters_ = std::move(*counters);
  note(counters_->notice());
  sleeps_ = counters_->make("reactor.sleeps");
  return place_thread();
}

Expected<void> Reactor::place_thread() {
  if (config_.core >= 0) {
    if (auto pinned = pin_this_thread(config_.core); pinned) {
      cpus_ = {static_cast<std::uint32_t>(config_.core)};
      return {};
    } else {
      note(pinned.error().message);  // a refused pin costs latency, not correctness
    }
  }
  const auto allowed = allowed_cpus();
  if (!allowed) return std::unexpected(allowed.error());
  for (std::uint32_t cpu = 0; cpu < CpuSet::kMostCpus; ++cpu) {
    if (allowed->contains(cpu)) cpus_.push_back(cpu);
  }
  return {};
}

void Reactor::note(std::string notice) {
  if (!notice.empty()) notices_.push_back(std::move(notice));
}

void Reactor::attach(Duty& duty) {
  constexpr std::size_t kDescriptorsPerDuty = 80;
  duties_.push_back(&duty);
  waited_on_.reserve(1 + duties_.size() * kDescriptorsPerDuty);
}

void Reactor::detach(Duty& duty) noexcept { std::erase(duties_, &duty); }

std::string Reactor::identity() const {
  return fmt::format("{}.{}", getpid(), static_cast<const void*>(this));
}

void Reactor::resolve_idle(bool cpu_for_each_reactor) noexcept {
  if (policy_ == IdlePolicy::automatic) {
    policy_ = cpu_for_each_reactor ? IdlePolicy::spin : IdlePolicy::backoff;
  }
  if (policy_ != IdlePolicy::spin) ask_for_short_slices();
}

}  // namespace lockstep::runtime
