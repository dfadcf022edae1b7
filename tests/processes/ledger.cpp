#include "tests/processes/ledger.hpp"

#include <algorithm>
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
  bytes.reserve(sizeof totals_ + next_of_.size() * sizeof(Record) + ballast_bytes_);
  Totals totals = totals_;
  totals.senders = next_of_.size();
  append(bytes, totals);
  for (const auto& [incarnation, next] : next_of_) append(bytes, Record{incarnation, next});
  const std::size_t head = bytes.size();
  bytes.resize(head + ballast_bytes_);
  for (std::size_t i = 0; i < ballast_bytes_; ++i) bytes[head + i] = ballast_at(i);
  return bytes;
}

bool Ledger::save(SnapshotWriter& writer) {
  if (writer.first()) {
    saving_ = state();
    saved_ = 0;
  }
  saved_ += writer.write(std::span(saving_).subspan(saved_));
  return saved_ == saving_.size();
}

void Ledger::load(SnapshotReader& reader) {
  if (refuses_to_load) return reader.fail("it was told not to");
  if (reader.first()) loading_.clear();
  loading_.insert(loading_.end(), reader.bytes().begin(), reader.bytes().end());
  if (!reader.last()) return;
  ++loads_;
  if (!restore(loading_)) reader.fail("it is not what save gave");
}

bool Ledger::restore(std::span<const std::byte> state) {
  if (!take(state, totals_)) return false;
  next_of_.clear();
  for (std::uint64_t i = 0; i < totals_.senders; ++i) {
    Record record;
    if (!take(state, record)) return false;
    next_of_[record.incarnation] = record.number;
  }
  if (state.size() != ballast_bytes_) return false;
  for (std::size_t i = 0; i < state.size(); ++i) {
    if (state[i] != ballast_at(i)) return false;
  }
  return true;
}

}  // namespace lockstep::test
