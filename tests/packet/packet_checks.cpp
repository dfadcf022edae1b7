#include "tests/packet/packet_checks.hpp"

#include <algorithm>

#include "tests/packet/handmade.hpp"
#include "tests/packet/packet_pair.hpp"
#include "tests/packet/test_keys.hpp"

namespace lockstep::transports::packet {
namespace {

std::string runs(const PairScenario& scenario) { return PacketPair(scenario).run(); }

std::string quiet(std::uint64_t seed) {
  PairScenario scenario;
  scenario.seed = seed;
  PacketPair pair(scenario);
  if (auto wrong = pair.run(); !wrong.empty()) return wrong;
  for (std::size_t which : {0U, 1U}) {
    const PacketCounts& counts = pair.side(which).link->counts();
    if (counts.sent_again != 0) return "something was sent again though nothing was lost";
    if (counts.rejected != 0 || counts.received_again != 0) return "a packet too many";
    if (pair.side(which).narrowest < scenario.credit) return "the window was narrowed";
  }
  return {};
}

std::string one_way(std::uint64_t seed) {
  return runs({.seed = seed, .faults = {}, .credit = 8, .one_way = true});
}

std::string a_little_loss(std::uint64_t seed) {
  PairScenario scenario{.seed = seed, .faults = {.loss_permille = 10}, .words = 40'000};
  PacketPair pair(scenario);
  if (auto wrong = pair.run(); !wrong.empty()) return wrong;
  for (std::size_t which : {0U, 1U}) {
    PacketPair::Side& side = pair.side(which);
    const PacketCounts& counts = side.link->counts();
    // What was lost, and what was sent again since an acknowledgement was.
    const std::uint64_t losses = side.wire->lost() + pair.side(1 - which).wire->lost();
    if (counts.sent_again > 2 * losses + 10) {
      return "sent again: " + std::to_string(counts.sent_again) + " for " + std::to_string(losses);
    }
    if (counts.sent_again > 0 && side.narrowest == scenario.credit) {
      return "the window was as wide as without loss";
    }
  }
  return {};
}

/// Now and then a write, so that nothing behind a lost packet shows that it is: a few round trips
/// each, where a round trip takes 20 us.
std::string loss_of_single_packets(std::uint64_t seed) {
  PairScenario scenario{.seed = seed,
                        .faults = {.loss_permille = 100},
                        .words = 5'000,
                        .one_way = true,
                        .pause_ns = 1'000'000};
  PacketPair pair(scenario);
  const std::uint64_t began_ns = pair.now_ns();
  if (auto wrong = pair.run(); !wrong.empty()) return wrong;
  const std::uint64_t writes = pair.side(0).mark;
  if (pair.now_ns() - began_ns > writes * 1'500'000) return "losses took milliseconds";
  return {};
}

/// One write after the other, to a peer that stands still for 8 ms of every 50. Who took that for a
/// round trip would wait tens of milliseconds for the losses that follow. It takes many losses for
/// their average to tell, so every fifth seed has to do.
std::string losses_behind_stalls(std::uint64_t seed) {
  if (seed % 5 != 1) return {};
  constexpr std::uint64_t kEveryNs = 50'000'000;
  constexpr std::uint64_t kStallNs = 8'000'000;
  PairScenario scenario{
      .seed = seed,
      .faults = {.loss_permille = 100, .stall_every_ns = kEveryNs, .stall_ns = kStallNs},
      .words = 400'000,
      .one_way = true,
      .alone = true};
  PacketPair pair(scenario);
  const std::uint64_t began_ns = pair.now_ns();
  if (auto wrong = pair.run(); !wrong.empty()) return wrong;
  const std::uint64_t took_ns = pair.now_ns() - began_ns;
  const std::uint64_t lost_ns = took_ns / (pair.side(0).wire->lost() + pair.side(1).wire->lost());
  if (lost_ns > 650'000) return "a loss took " + std::to_string(lost_ns) + " ns";
  return {};
}

/// Far more to say than a narrowed window holds.
std::string pacing(std::uint64_t seed) {
  constexpr std::uint64_t kMostAtOnce = 4 + 1;  // of data; and an acknowledgement alone
  PairScenario scenario{.seed = seed,
                        .faults = {.loss_permille = 20},
                        .credit = 64,
                        .words = 40'000,
                        .one_way = true};
  PacketPair pair(scenario);
  if (auto wrong = pair.run(); !wrong.empty()) return wrong;
  const std::uint64_t burst = pair.side(0).largest_burst;
  if (burst == 0) return "the window was as wide as without loss";
  if (burst > kMostAtOnce) return std::to_string(burst) + " packets went at once";
  return {};
}

std::string heavy_loss(std::uint64_t seed) {
  return runs({.seed = seed, .faults = {.loss_permille = 300}, .words = 20'000});
}

std::string everything(std::uint64_t seed) {
  return runs({.seed = seed,
               .faults = {.loss_permille = 100,
                          .duplicate_permille = 100,
                          .reorder_permille = 200,
                          .damage_permille = 50},
               .packet_bytes = kLeastPacketBytes + 8 * (seed % 300),
               .credit = static_cast<std::uint32_t>(1 + 7 * seed % kMostOutstanding),
               .words = 20'000});
}

std::string damage(std::uint64_t seed) {
  PairScenario scenario{.seed = seed, .faults = {.damage_permille = 100}};
  PacketPair pair(scenario);
  if (auto wrong = pair.run(); !wrong.empty()) return wrong;
  for (std::size_t which : {0U, 1U}) {
    const std::uint64_t rejected = pair.side(which).link->counts().rejected;
    // What is still on its way when all is said is not counted.
    if (rejected > pair.side(1 - which).wire->damaged()) return "a sound packet was rejected";
  }
  return {};
}

std::string reordering(std::uint64_t seed) {
  return runs({.seed = seed,
               .faults = {.duplicate_permille = 200, .reorder_permille = 500},
               .words = 20'000});
}

std::string blackout(std::uint64_t seed) {
  return runs(
      {.seed = seed,
       .faults = {
           .loss_permille = 10, .blackout_from_ns = 1'100'000, .blackout_to_ns = 1'500'000'000}});
}

std::string silence_for_good(std::uint64_t seed) {
  PairScenario scenario{.seed = seed,
                        .faults = {.blackout_from_ns = 1'100'000, .blackout_to_ns = ~0ULL},
                        .give_up_ns = 2'000'000'000};
  PacketPair pair(scenario);
  const std::string wrong = pair.run();
  if (wrong != "a link is down: does not answer") return "it ended so: " + wrong;
  if (pair.now_ns() > 2'200'000'000) return "it took " + std::to_string(pair.now_ns()) + " ns";
  return {};
}

/// One end has given up: the other is not to take it for one that hears.
std::string down_at_one_end(std::uint64_t seed) {
  constexpr std::uint64_t kGiveUpNs = 50'000'000;
  PacketPair pair({.seed = seed, .faults = {}, .words = 1'000, .give_up_ns = kGiveUpNs});
  if (auto wrong = pair.run(); !wrong.empty()) return wrong;
  pair.side(0).link->fail(DownReason::unreachable);
  const std::uint64_t word = 1;
  PacketPair::Side& other = pair.side(1);
  (void)other.link->push(0, 0, std::as_bytes(std::span(&word, 1)), ++other.mark);
  const std::uint64_t end_ns = pair.now_ns() + 4 * kGiveUpNs;
  for (std::uint64_t now_ns = pair.now_ns(); now_ns < end_ns; now_ns += 100'000) {
    for (const std::size_t which : {0U, 1U}) {
      PacketPair::Side& mine = pair.side(which);
      LossyWire& peers = *pair.side(1 - which).wire;
      mine.wire->set_now(now_ns);
      peers.set_now(now_ns);
      for (auto packet = peers.take(); !packet.empty(); packet = peers.take()) {
        mine.link->receive(packet, now_ns);
      }
      mine.link->send(now_ns, *mine.wire, false);
    }
  }
  if (other.link->down() != DownReason::unreachable) return "the other end does not notice";
  return {};
}

std::string a_wire_that_is_often_full(std::uint64_t seed) {
  return runs({.seed = seed, .faults = {.loss_permille = 20, .most_waiting = 3}});
}

/// A wire that takes nothing for good.
std::string a_full_wire(std::uint64_t seed) {
  PairScenario scenario{.seed = seed, .faults = {.most_waiting = 0}, .give_up_ns = 20'000'000};
  PacketPair pair(scenario);
  const std::string wrong = pair.run();
  return wrong == "a link is down: does not answer" ? std::string() : "it ended so: " + wrong;
}

// ---- packets that no correct peer sends --------------------------------------------------------

/// The packet is taken for none, and changes nothing.
bool rejects(LoneLink& lone, const std::vector<std::byte>& packet) {
  const std::uint64_t before = lone.link.counts().rejected;
  lone.hear(packet);
  return lone.link.counts().rejected == before + 1 && !lone.link.settled() && lone.word() == 0;
}

std::string impossible_packets(std::uint64_t /*seed*/) {
  const auto acknowledgement = [](std::uint64_t received, std::uint64_t newest,
                                  std::vector<std::uint64_t> ahead = {}) {
    return made(
        {.kind = Kind::acknowledgement, .transmission = 1, .received = received, .newest = newest},
        {}, std::move(ahead));
  };
  LoneLink lone;
  lone.talk(2);
  if (!rejects(lone, acknowledgement(3, 0))) return "acknowledged what was never sent";
  if (!rejects(lone, acknowledgement(0, 3))) return "saw a transmission that never was";
  if (!rejects(lone, acknowledgement(0, 0, {2}))) return "has what was never sent";
  if (!rejects(lone, acknowledgement(0, 0, {0, 0, 0, 1}))) return "has what was never sent";
  lone.hear(acknowledgement(2, 2));
  return lone.link.settled() ? "" : "a possible packet was rejected";
}

std::string a_packet_beyond_the_window(std::uint64_t /*seed*/) {
  LoneLink lone;
  lone.talk(1);
  const auto beyond = made({.transmission = 1, .sequence = kCredit}, word_written(7));
  return rejects(lone, beyond) ? "" : "it was held";
}

std::string a_packet_of_another_link(std::uint64_t /*seed*/) {
  LoneLink lone;
  lone.talk(1);
  const auto other = made({.transmission = 1}, word_written(7), {}, LinkSecret{33});
  return rejects(lone, other) ? "" : "it was taken";
}

/// It changes nothing, not even what is owed.
std::string a_packet_that_comes_twice(std::uint64_t /*seed*/) {
  LoneLink lone;
  const auto packet = made({.transmission = 1}, word_written(7));
  const auto word = made({.kind = Kind::acknowledgement, .transmission = 1});
  for (const auto& one : {packet, word}) lone.hear(one);
  lone.link.send(3'000, lone.wire, true);
  for (const auto& one : {packet, word}) lone.hear(one);
  if (lone.link.deadline_ns() != PacketLink::kNever) return "it was answered again";
  return lone.link.counts().received_again == 2 ? "" : "it was not counted";
}

/// Nobody waits for a timer whose packets fill a window.
std::string many_packets(std::uint64_t /*seed*/) {
  LoneLink lone;
  const auto answered = [&] {
    lone.link.send(2'000, lone.wire, false);
    return lone.link.counts().acknowledgements_sent > 0;
  };
  for (std::uint64_t i = 0; i < 16; ++i) {
    if (answered()) return "acknowledged after " + std::to_string(i);
    lone.hear(made({.transmission = i + 1, .sequence = i}, word_written(7)));
  }
  return answered() ? "" : "16 packets were not acknowledged at once";
}

// ---- encrypted ---------------------------------------------------------------------------------

/// Nothing that is written can be read on the wire.
std::string secrecy(std::uint64_t seed) {
  LinkKeys keys;
  make_test_keys(seed, false, keys);
  LoneLink lone(&keys);
  const std::vector<std::uint64_t> words(8, 0x5ec2'e700'5ec2'e7aa);
  const auto secret = std::as_bytes(std::span(words));
  lone.link.push(0, 0, secret, 1);
  lone.link.send(1'000, lone.wire, true);
  lone.wire.set_now(1'000'000);
  const auto packet = lone.wire.take();
  if (packet.size() < sizeof(Head) + secret.size()) return "nothing was sent";
  const auto found = std::ranges::search(packet, secret.first(sizeof(std::uint64_t)));
  return found.empty() ? "" : "it can be read";
}

/// The other end's keys, and none.
std::string another_key(std::uint64_t seed) {
  LinkKeys keys;
  make_test_keys(seed, false, keys);
  LoneLink lone(&keys);
  lone.talk(1);
  if (!rejects(lone, made({.transmission = 1}, word_written(7)))) return "the clear was taken";
  LinkKeys others;
  make_test_keys(seed + 1, true, others);
  LoneLink stranger(&others);
  stranger.talk(1);
  stranger.wire.set_now(1'000'000);
  return rejects(lone, stranger.wire.take()) ? "" : "what a stranger sealed was taken";
}

/// Everything that a wire and who sits on it can do, while keys are renewed all the time.
std::string encrypted(std::uint64_t seed) {
  PairScenario scenario{.seed = seed,
                        .faults = {.loss_permille = 100,
                                   .duplicate_permille = 100,
                                   .reorder_permille = 200,
                                   .damage_permille = 50,
                                   .replay_permille = 300},
                        .words = 10'000,
                        .encrypted = true,
                        .renew_every_ns = 100'000};
  PacketPair pair(scenario);
  if (auto wrong = pair.run(); !wrong.empty()) return wrong;
  for (std::size_t which : {0U, 1U}) {
    if (pair.side(which).link->keys_used() < 5) return "the key was not renewed";
  }
  return {};
}

/// Keys fall due while nothing gets through.
std::string renewed_in_the_dark(std::uint64_t seed) {
  return runs({.seed = seed,
               .faults = {.loss_permille = 10,
                          .blackout_from_ns = 1'100'000,
                          .blackout_to_ns = 1'500'000'000},
               .encrypted = true,
               .renew_every_ns = 10'000'000});
}

}  // namespace

const std::vector<PacketCheck>& packet_checks() {
  static const std::vector<PacketCheck> checks{
      {"Quiet", quiet},
      {"OneWay", one_way},
      {"ALittleLoss", a_little_loss},
      {"LossOfSinglePackets", loss_of_single_packets},
      {"LossesBehindStalls", losses_behind_stalls},
      {"Pacing", pacing},
      {"HeavyLoss", heavy_loss},
      {"Everything", everything},
      {"Damage", damage},
      {"Reordering", reordering},
      {"Blackout", blackout},
      {"SilenceForGood", silence_for_good},
      {"DownAtOneEnd", down_at_one_end},
      {"AWireThatIsOftenFull", a_wire_that_is_often_full},
      {"AFullWire", a_full_wire},
      {"ImpossiblePackets", impossible_packets},
      {"APacketBeyondTheWindow", a_packet_beyond_the_window},
      {"APacketOfAnotherLink", a_packet_of_another_link},
      {"APacketThatComesTwice", a_packet_that_comes_twice},
      {"ManyPackets", many_packets},
      {"Secrecy", secrecy},
      {"AnotherKey", another_key},
      {"Encrypted", encrypted},
      {"RenewedInTheDark", renewed_in_the_dark},
  };
  return checks;
}

}  // namespace lockstep::transports::packet
