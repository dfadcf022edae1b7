#include "tools/sim/checkers.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace lockstep::sim {

Violation TotalOrder::delivered(const Delivered& event) {
  std::size_t& next = next_[event.member];
  if (next > 0 && event.sequence <= order_[next - 1].sequence) {
    return fmt::format("I1 total order: rank {} delivered sequence {} after sequence {}",
                       event.member, event.sequence, order_[next - 1].sequence);
  }
  if (next > 0 && event.timestamp_ns < order_[next - 1].timestamp_ns) {
    return fmt::format(
        "I1 total order: at rank {} time stamps ran back, from {} to {}, at "
        "sequence {}",
        event.member, order_[next - 1].timestamp_ns, event.timestamp_ns, event.sequence);
  }
  if (next == order_.size()) {
    order_.push_back({event.sequence, event.sender, event.hash, event.timestamp_ns, event.member});
  }
  const Place& place = order_[next++];
  if (place.sequence != event.sequence || place.sender != event.sender ||
      place.hash != event.hash) {
    return fmt::format(
        "I1 total order: as message {} rank {} delivered sequence {} of sender {} (hash {:016x}), "
        "but rank {} delivered sequence {} of sender {} (hash {:016x})",
        next - 1, event.member, event.sequence, event.sender, event.hash, place.first_member,
        place.sequence, place.sender, place.hash);
  }
  if (place.timestamp_ns != event.timestamp_ns) {
    return fmt::format(
        "I1 total order: sequence {} has time stamp {} at rank {}, but {} at rank {}",
        event.sequence, event.timestamp_ns, event.member, place.timestamp_ns, place.first_member);
  }
  return {};
}

Violation Uniformity::delivered(const Delivered& event) const {
  for (std::uint32_t rank = 0; rank < members_; ++rank) {
    if ((event.holders >> rank & 1U) != 0) continue;
    return fmt::format(
        "I3 uniformity: rank {} delivered sequence {} of sender {} while rank {} does not hold it: "
        "a crash now would lose what was seen",
        event.member, event.sequence, event.sender, rank);
  }
  return {};
}

Violation Integrity::published(const Published& event) {
  auto& sent = sent_[event.member];
  if (event.id != sent.size()) {
    return fmt::format("the history is wrong: rank {} published message {} after {} messages",
                       event.member, event.id, sent.size());
  }
  sent.push_back(event);
  return {};
}

Violation Integrity::delivered(const Delivered& event) {
  if (event.sender >= members_) {
    return fmt::format("I4 integrity: rank {} delivered a message of rank {}, which is no member",
                       event.member, event.sender);
  }
  std::uint64_t& next = next_[std::size_t{event.member} * members_ + event.sender];
  const auto& sent = sent_[event.sender];
  const std::uint64_t id = next++;
  const bool right =
      id < sent.size() && sent[id].hash == event.hash && sent[id].bytes == event.bytes;
  if (!right) return explain(event, id);
  if (event.token.has_value() && *event.token != id) {
    return fmt::format("I4 integrity: rank {} got token {} back with its message {}", event.member,
                       *event.token, id);
  }
  return {};
}

std::string Integrity::explain(const Delivered& event, std::uint64_t expected) const {
  const auto& sent = sent_[event.sender];
  const std::string what = fmt::format(
      "I4 integrity: as message {} of sender {} rank {} delivered {} bytes with hash {:016x} at "
      "sequence {}",
      expected, event.sender, event.member, event.bytes, event.hash, event.sequence);
  const auto same = std::ranges::find_if(sent, [&](const Published& published) {
    return published.hash == event.hash && published.bytes == event.bytes;
  });
  if (same != sent.end() && same->id < expected) {
    return fmt::format("{}: message {}, delivered before", what, same->id);
  }
  if (same != sent.end()) return fmt::format("{}: message {}, out of order", what, same->id);
  if (expected >= sent.size()) {
    return fmt::format("{}: only {} were sent", what, sent.size());
  }
  return fmt::format("{}: sent were {} bytes with hash {:016x}, at {} ns", what,
                     sent[expected].bytes, sent[expected].hash, sent[expected].at_ns);
}

void Validity::published(const Published& event) {
  published_[event.member] = {.count = event.id + 1, .last_ns = event.at_ns};
}

void Validity::delivered(const Delivered& event) {
  if (event.sender >= members_) return;
  Progress& progress = delivered_[std::size_t{event.member} * members_ + event.sender];
  ++progress.count;
  progress.last_ns = event.at_ns;
}

bool Validity::misses(std::uint32_t member, std::uint32_t sender) const {
  const std::uint64_t got = delivered_[std::size_t{member} * members_ + sender].count;
  return lives(member) && lives(sender) && got < published_[sender].count;
}

bool Validity::complete() const {
  for (std::uint32_t member = 0; member < members_; ++member) {
    for (std::uint32_t sender = 0; sender < members_; ++sender) {
      if (misses(member, sender)) return false;
    }
  }
  return true;
}

Violation Validity::finished(std::uint64_t now_ns) const {
  for (std::uint32_t member = 0; member < members_; ++member) {
    for (std::uint32_t sender = 0; sender < members_; ++sender) {
      if (!misses(member, sender)) continue;
      const Progress& sent = published_[sender];
      const Progress& got = delivered_[std::size_t{member} * members_ + sender];
      return fmt::format(
          "I5 validity: rank {} has not delivered message {} of rank {}, which published {} "
          "messages, the last at {} ns; now it is {} ns, and its last delivery of that sender was "
          "at {} ns",
          member, got.count, sender, sent.count, sent.last_ns, now_ns, got.last_ns);
    }
  }
  return {};
}

}  // namespace lockstep::sim
