#include "bench/rounds.hpp"

#include <time.h>

#include "bench/floor_seat.hpp"

namespace lockstep::bench {
namespace {

void nap() {
  const timespec time{.tv_sec = 0, .tv_nsec = 50'000};
  nanosleep(&time, nullptr);
}

}  // namespace

Expected<void> Rounds::run() {
  for (;;) {
    const std::uint64_t word = control_.phase.load();
    const Phase phase = Phase::of(word);
    Expected<void> done;
    switch (phase.kind) {
      case PhaseKind::subject:
        done = subject_block(phase.block);
        break;
      case PhaseKind::floor:
        done = floor_block();
        if (done) done = wait_for_phase_after(word);
        break;
      case PhaseKind::finish:
        scene_.finished(subject_elapsed_ns_);
        return member_.finish();
    }
    if (!done) return done;
  }
}

Expected<void> Rounds::subject_block(std::uint64_t number) {
  auto begun = begin(number);
  if (!begun) return std::unexpected(begun.error());
  block_ = *begun;
  if (scene_.sends(number)) {
    if (auto sent = scene_.send(block_); !sent) return sent;
    control_.published.add(member_.published() - own_published_);
    own_published_ = member_.published();
    control_.sent.add(1);
  }
  if (auto drained = drain(); !drained) return drained;
  conclude();
  if (conducts()) {
    control_.phase.store(Phase{number, PhaseKind::floor}.word());
    return {};
  }
  const std::uint64_t word = Phase{number, PhaseKind::subject}.word();
  return member_.turn_until("rank 0 to end a block", [&] { return control_.phase.load() != word; });
}

Expected<Block> Rounds::begin(std::uint64_t number) {
  Block block{.number = number, .measured = number >= kWarmUpBlocks};
  scene_.prepare(block);
  control_.arrived.add(1);
  if (conducts()) {
    const std::uint64_t all = (number + 1) * session_.plan.options.members;
    auto arrived = member_.turn_until("all members to start a block",
                                      [&] { return control_.arrived.load() == all; });
    if (!arrived) return std::unexpected(arrived.error());
    control_.start_ns.store(session_.clock.now_ns());
    control_.subject_elapsed_ns.store(subject_elapsed_ns_);
    control_.started.store(number + 1);
  } else {
    auto started = member_.turn_until("rank 0 to start a block",
                                      [&] { return control_.started.load() == number + 1; });
    if (!started) return std::unexpected(started.error());
  }
  block.start_ns = control_.start_ns.load();
  block.end_ns = block.start_ns + scene_.send_ns();
  block.subject_elapsed_ns = control_.subject_elapsed_ns.load();
  return block;
}

Expected<void> Rounds::drain() {
  const std::uint64_t all_sent = (block_.number + 1) * scene_.senders_per_block();
  auto sent = member_.turn_until("the senders to end a block",
                                 [&] { return control_.sent.load() == all_sent; });
  if (!sent) return sent;
  const std::uint64_t published = control_.published.load();
  auto applied = member_.turn_until("published messages to be applied",
                                    [&] { return member_.consumer().applied() == published; });
  if (!applied) return applied;
  control_.drained_at(session_.clock.now_ns());
  control_.drained.add(1);
  const std::uint64_t all_drained = (block_.number + 1) * session_.plan.options.members;
  return member_.turn_until("all members to apply what was published",
                            [&] { return control_.drained.load() == all_drained; });
}

void Rounds::conclude() {
  const std::uint64_t duration_ns = control_.drained_ns.load() - block_.start_ns;
  const std::uint64_t published = control_.published.load();
  scene_.drained(block_, published - published_before_, duration_ns);
  published_before_ = published;
  subject_elapsed_ns_ += duration_ns;
}

Expected<void> Rounds::floor_block() {
  if (member_.rank() < scene_.floor_parties()) {
    // More than two have no CPU each; where they run is for the system to say.
    const bool seated = scene_.floor_parties() == 2;
    const FloorSeat seat(seated ? session_.plan.floor_cores[member_.rank()] : -1);
    if (auto measured = scene_.floor(block_); !measured) return measured;
  }
  if (conducts()) control_.phase.store(next_phase().word());
  return {};
}

Phase Rounds::next_phase() {
  const std::uint64_t next = block_.number + 1;
  const std::uint64_t now_ns = session_.clock.now_ns();
  if (next == kWarmUpBlocks) {
    end_ns_ = now_ns + static_cast<std::uint64_t>(session_.plan.options.seconds * 1e9);
  }
  const bool over = next > kWarmUpBlocks && (now_ns >= end_ns_ || scene_.has_enough());
  return {next, over ? PhaseKind::finish : PhaseKind::subject};
}

Expected<void> Rounds::wait_for_phase_after(std::uint64_t word) {
  std::uint64_t deadline_ns = 0;
  while (control_.phase.load() == word) {
    if (session_.gives_way()) nap();
    if (auto healthy = member_.check("rank 0 to end a floor block", deadline_ns); !healthy) {
      return healthy;
    }
  }
  return {};
}

}  // namespace lockstep::bench
