#include "tests/packet/packet_pair.hpp"

#include <algorithm>
#include <cstring>

#include "tests/packet/test_keys.hpp"

namespace lockstep::transports::packet {
namespace {

constexpr std::size_t kRowAt = PacketPair::kRingWords * 8;

std::uint64_t word_at(const std::vector<std::byte>& region, std::size_t offset) {
  std::uint64_t word = 0;
  std::memcpy(&word, region.data() + offset, sizeof word);
  return word;
}

}  // namespace

PacketPair::PacketPair(const PairScenario& scenario) : scenario_(scenario) {
  Random random(scenario.seed);
  const LinkSecret secrets[] = {{random.next()}, {random.next()}};
  LinkKeys keys[2];
  for (std::size_t which : {0U, 1U}) make_test_keys(scenario.seed, which == 1, keys[which]);
  for (std::size_t which : {0U, 1U}) {
    Side& one = sides_[which];
    one.region.resize(kRegionBytes * kRegionCopies);
    one.link =
        std::make_unique<PacketLink>(PacketLinkOptions{.my_rank = static_cast<std::uint16_t>(which),
                                                       .mine = secrets[which],
                                                       .theirs = secrets[1 - which],
                                                       .packet_bytes = scenario.packet_bytes,
                                                       .peer_packet_bytes = scenario.packet_bytes,
                                                       .peer_credit = scenario.credit,
                                                       .my_credit = scenario.credit,
                                                       .give_up_ns = scenario.give_up_ns,
                                                       .region_bytes = kRegionBytes},
                                     one.region, scenario.encrypted ? &keys[which] : nullptr);
    one.wire = std::make_unique<LossyWire>(scenario.faults, random.next());
    if (scenario.encrypted) one.wire->set_judge(&one.numbers);
    one.random = random.split();
  }
}

bool PacketPair::has_words_left(const Side& one) const {
  if (scenario_.one_way && &one != &sides_[0]) return false;
  return one.written < scenario_.words;
}

/// One write into the peer's ring, as far as it has seen what is there; then a row behind it.
void PacketPair::write(Side& mine, const Side& peer) {
  while (!mine.marks.empty() && mine.link->completed() >= mine.marks.front()) {
    mine.marks.pop_front();
    mine.sources.pop_front();
  }
  if (mine.row_due != 0) {
    const std::uint64_t row[] = {mine.row_due};
    if (mine.link->push(0, kRowAt, std::as_bytes(std::span(row)), ++mine.mark) == Post::posted) {
      mine.row_due = 0;
    }
    return;
  }
  if (!has_words_left(mine) || now_ns_ < mine.next_write_ns) return;
  if (scenario_.alone && !mine.link->settled()) return;
  const std::uint64_t room = kRingWords - (mine.written - peer.seen);
  const std::uint64_t to_end = kRingWords - mine.written % kRingWords;
  const std::uint64_t most = std::min({room, to_end, scenario_.words - mine.written});
  if (most == 0) return;
  const std::uint64_t count = 1 + mine.random.below(std::min<std::uint64_t>(most, 100));
  std::vector<std::uint64_t> words(count);
  for (std::uint64_t i = 0; i < count; ++i) words[i] = mine.written + i + 1;
  mine.sources.push_back(std::move(words));
  const auto bytes = std::as_bytes(std::span(mine.sources.back()));
  const auto posted = mine.link->push(0, mine.written % kRingWords * 8, bytes, ++mine.mark);
  if (posted != Post::posted) {
    mine.sources.pop_back();
    return;
  }
  mine.marks.push_back(mine.mark);
  mine.written += count;
  mine.row_due = mine.written;
  mine.next_write_ns = now_ns_ + scenario_.pause_ns;
}

void PacketPair::send(Side& mine) const {
  const std::uint64_t before = mine.wire->sent();
  const bool narrowed = mine.link->congestion_window() < scenario_.credit;
  mine.link->send(now_ns_, *mine.wire, false);
  const std::uint64_t burst = mine.wire->sent() - before;
  if (narrowed) mine.largest_burst = std::max(mine.largest_burst, burst);
}

std::string PacketPair::look(Side& mine) const {
  while (word_at(mine.region, mine.seen % kRingWords * 8) == mine.seen + 1) ++mine.seen;
  const std::uint64_t row = word_at(mine.region, kRowAt);
  if (row < mine.row_seen) return "a row went back";
  mine.row_seen = row;
  if (row > mine.seen) return "a row tells of words that are not there";
  for (std::uint64_t ahead = 1; ahead < kRingWords; ++ahead) {
    const std::uint64_t word = mine.seen + ahead;
    if (word_at(mine.region, word % kRingWords * 8) > mine.seen) return "words came before others";
  }
  mine.narrowest = std::min(mine.narrowest, mine.link->congestion_window());
  return {};
}

bool PacketPair::over() const {
  for (std::size_t which : {0U, 1U}) {
    const Side& one = sides_[which];
    const Side& peer = sides_[1 - which];
    if (has_words_left(one) || one.row_due != 0 || !one.link->settled()) return false;
    if (peer.row_seen != one.written) return false;
  }
  return true;
}

std::uint64_t PacketPair::next_event_ns() const {
  std::uint64_t next = PacketLink::kNever;
  for (const Side& one : sides_) {
    next = std::min({next, one.link->deadline_ns(), one.wire->next_arrival_ns()});
    if (has_words_left(one) && one.next_write_ns > now_ns_)
      next = std::min(next, one.next_write_ns);
  }
  return next;
}

std::string PacketPair::run() {
  const std::uint64_t end_ns = now_ns_ + scenario_.most_ns;
  while (!over()) {
    const bool renew = scenario_.renew_every_ns > 0 && now_ns_ >= renew_due_ns_;
    if (renew) renew_due_ns_ = now_ns_ + scenario_.renew_every_ns;
    for (std::size_t which : {0U, 1U}) {
      Side& mine = sides_[which];
      Side& peer = sides_[1 - which];
      if (renew) mine.link->renew_keys();
      mine.wire->set_now(now_ns_);
      peer.wire->set_now(now_ns_);
      for (auto packet = peer.wire->take(); !packet.empty(); packet = peer.wire->take()) {
        mine.link->receive(packet, now_ns_);
        if (auto wrong = look(mine); !wrong.empty()) return wrong;
      }
      write(mine, peer);
      if (mine.random.chance(500)) write(mine, peer);
      send(mine);
      // Who may sleep would not, and look again and again.
      if (mine.link->deadline_ns() <= now_ns_) return "a deadline that has passed";
    }
    for (const Side& one : sides_) {
      if (const auto reason = one.link->down()) {
        return "a link is down: " + std::string(to_string(*reason));
      }
      if (!one.numbers.wrong().empty()) return one.numbers.wrong();
    }
    const std::uint64_t next = next_event_ns();
    const bool more_to_write = (has_words_left(sides_[0]) || sides_[0].row_due != 0 ||
                                has_words_left(sides_[1]) || sides_[1].row_due != 0);
    if (next == PacketLink::kNever && !more_to_write && !over())
      return "nothing is going to happen";
    // While there is something to write, a turn of the loop; else until something happens.
    const std::uint64_t turn_ns = now_ns_ + 1'000;
    now_ns_ = std::max(now_ns_ + 200, more_to_write || over() ? std::min(next, turn_ns) : next);
    if (now_ns_ > end_ns) return "not finished in time";
  }
  return {};
}

}  // namespace lockstep::transports::packet
