#include "tests/processes/ledger.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace lockstep::test {
namespace {

std::uint64_t mix(std::uint64_t digest, std::uint64_t word) {
  return (digest ^ word) * 0x100000001b3U + (digest >> 29U);
}

std::byte ballast_at(std::size_t place) { return static_cast<std::byte>(place * 131 >> 3U); }

template <class Value>
void append(std::vector<std::byte>& bytes, const Value& value) {
  const std::size_t before = bytes.size();
  bytes.resize(before + sizeof value);
  std::memcpy(bytes.data() + before, &value, sizeof value);
}

template <class Value>
bool take(std::span<const std::byte>& bytes, Value& value) {
  if (bytes.size() < sizeof value) return false;
  std::memcpy(&value, bytes.data(), sizeof value);
  bytes = bytes.subspan(sizeof value);
  return true;
}

}  // namespace

void Ledger::apply(const Message& message) {
  Record record;
  if (message.payload.size() != sizeof record) {
    ++totals_.faults;
    return;
  }
  std::memcpy(&record, message.payload.data(), sizeof record);
  std::uint64_t& next = next_of_[record.incarnation];
  if (record.number != next) ++totals_.faults;
  next = record.number + 1;
  ++totals_.applied;
  totals_.digest = mix(mix(totals_.digest, record.incarnation), record.number);
  totals_.digest = mix(totals_.digest, message.timestamp_ns);
}

void Ledger::view_installed(const View& view) { view_ = view; }
void Ledger::member_slow(const MemberSlow& slow) { slow_ += slow.name + ','; }
void Ledger::quorum_lost(const View& /*view*/) { ++quorums_lost_; }
void Ledger::evicted(const View& /*view*/) { ++evictions_; }

std::uint64_t Ledger::applied_of(std::uint64_t incarnation) const {
  const auto found = next_of_.find(incarnation);
  return found == next_of_.end() ? 0 : found->second;
}

std::vector<std::byte> Ledger::state() const {
  std::vector<std::byte> bytes;
  Totals totals = totals_;
  totals.senders = next_of_.size();
  append(bytes, totals);
  for (const auto& [incarnation, next] : next_of_) append(bytes, Record{incarnation, next});
  return bytes;
}

// The ballast is made on its way out, and checked on its way in: the state may be larger than
// memory.
bool Ledger::save(SnapshotWriter& writer) {
  if (writer.first()) {
    saving_ = state();
    saved_ = 0;
  }
  const std::size_t whole = saving_.size() + ballast_bytes_;
  if (saved_ < saving_.size()) saved_ += writer.write(std::span(saving_).subspan(saved_));
  std::array<std::byte, 4'096> piece;
  while (saved_ >= saving_.size() && saved_ < whole && writer.room() > 0) {
    const std::size_t bytes = std::min({piece.size(), whole - saved_, writer.room()});
    for (std::size_t i = 0; i < bytes; ++i) piece[i] = ballast_at(saved_ - saving_.size() + i);
    saved_ += writer.write(std::span(piece).first(bytes));
  }
  return saved_ == whole;
}

void Ledger::load(SnapshotReader& reader) {
  if (refuses_to_load) return reader.fail("it was told not to");
  if (reader.first()) {
    loading_.clear();
    ballast_loaded_ = 0;
  }
  std::span<const std::byte> bytes = reader.bytes();
  while (!bytes.empty() && loading_.size() < head_bytes()) {
    const std::size_t taken = std::min(head_bytes() - loading_.size(), bytes.size());
    loading_.insert(loading_.end(), bytes.begin(),
                    bytes.begin() + static_cast<std::ptrdiff_t>(taken));
    bytes = bytes.subspan(taken);
  }
  for (const std::byte one : bytes) {
    if (one != ballast_at(ballast_loaded_++)) return reader.fail("its ballast is not what it was");
  }
  if (!reader.last()) return;
  ++loads_;
  if (ballast_loaded_ != ballast_bytes_ || !restore(loading_)) {
    reader.fail("it is not what save gave");
  }
}

/// Before the ballast: known once the totals are there.
std::size_t Ledger::head_bytes() const {
  Totals totals;
  std::span<const std::byte> head = loading_;
  if (!take(head, totals)) return sizeof totals;
  return sizeof totals + totals.senders * sizeof(Record);
}

bool Ledger::restore(std::span<const std::byte> state) {
  if (!take(state, totals_)) return false;
  next_of_.clear();
  for (std::uint64_t i = 0; i < totals_.senders; ++i) {
    Record record;
    if (!take(state, record)) return false;
    next_of_[record.incarnation] = record.number;
  }
  return state.empty();
}

}  // namespace lockstep::test
