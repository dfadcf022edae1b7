#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "lockstep/lockstep.hpp"

namespace lockstep::test {

/// A replicated state that notices by itself when a message is missing, doubled or out of its
/// sender's order, and whose digest tells whether two members applied the same history, however
/// each came by it: from the beginning, or with a state from another.
class Ledger final : public StateMachine {
 public:
  /// A message is the number of its sender's incarnation, and its place among that one's messages.
  struct Record {
    std::uint64_t incarnation = 0;
    std::uint64_t number = 0;
  };

  /// The state carries so many bytes of ballast.
  explicit Ledger(std::size_t ballast_bytes) : ballast_bytes_(ballast_bytes) {}

  void apply(const Message& message) override;
  void view_installed(const View& view) override;
  void member_slow(const MemberSlow& slow) override;
  void quorum_lost(const View& view) override;
  void evicted(const View& view) override;
  bool save(SnapshotWriter& writer) override;
  void load(SnapshotReader& reader) override;

  [[nodiscard]] std::uint64_t applied() const { return totals_.applied; }
  [[nodiscard]] std::uint64_t digest() const { return totals_.digest; }
  [[nodiscard]] std::uint64_t faults() const { return totals_.faults; }
  /// How many messages of `incarnation` were applied.
  [[nodiscard]] std::uint64_t applied_of(std::uint64_t incarnation) const;
  [[nodiscard]] const View& view() const { return view_; }
  /// Names of who was called slow, a comma after each.
  [[nodiscard]] const std::string& slow() const { return slow_; }
  [[nodiscard]] std::uint64_t loads() const { return loads_; }
  [[nodiscard]] std::uint64_t quorums_lost() const { return quorums_lost_; }
  [[nodiscard]] std::uint64_t evictions() const { return evictions_; }

  bool refuses_to_load = false;

 private:
  struct Totals {
    std::uint64_t applied = 0;
    std::uint64_t digest = 0;
    std::uint64_t faults = 0;
    std::uint64_t senders = 0;
  };
  [[nodiscard]] std::vector<std::byte> state() const;
  bool restore(std::span<const std::byte> state);
  [[nodiscard]] std::size_t head_bytes() const;

  const std::size_t ballast_bytes_;
  Totals totals_;
  std::map<std::uint64_t, std::uint64_t> next_of_;  ///< by incarnation
  View view_;
  std::string slow_;
  std::uint64_t loads_ = 0;
  std::uint64_t quorums_lost_ = 0;
  std::uint64_t evictions_ = 0;
  std::vector<std::byte> saving_;
  std::size_t saved_ = 0;
  std::vector<std::byte> loading_;
  std::size_t ballast_loaded_ = 0;
};

}  // namespace lockstep::test
