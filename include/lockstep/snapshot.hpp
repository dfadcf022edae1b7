#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "lockstep/export.hpp"

namespace lockstep {

/// Where StateMachine::save puts the state, a bounded piece per call. Reactor thread only; valid
/// during the call.
class LOCKSTEP_EXPORT SnapshotWriter {
 public:
  virtual ~SnapshotWriter() = default;

  /// The first call for this snapshot. The state as it is now, at the beginning of the view `cut`,
  /// is what all calls of this snapshot must give: what is applied between them belongs to later.
  [[nodiscard]] virtual bool first() const noexcept = 0;
  /// The view at whose beginning the state is given.
  [[nodiscard]] virtual std::uint64_t cut() const noexcept = 0;

  /// How many bytes this call still takes: its budget, so that messages do not wait for it.
  [[nodiscard]] virtual std::size_t room() const noexcept = 0;
  /// Appends to the snapshot. Returns how many of `bytes` were taken, at most `room()`; the rest is
  /// for the next call.
  virtual std::size_t write(std::span<const std::byte> bytes) noexcept = 0;

  /// There will be no snapshot: the joiner is told `reason`, and stays out. The group goes on.
  virtual void fail(std::string reason) noexcept = 0;
};

/// Where StateMachine::load finds the state, piece by piece, as it arrives. Reactor thread only;
/// valid during the call.
class LOCKSTEP_EXPORT SnapshotReader {
 public:
  virtual ~SnapshotReader() = default;

  /// These are the first bytes of a snapshot: whatever was loaded before is void. (A donor may
  /// die; the next one begins anew.)
  [[nodiscard]] virtual bool first() const noexcept = 0;
  /// Nothing follows these bytes: with them the state is whole.
  [[nodiscard]] virtual bool last() const noexcept = 0;
  /// The next bytes, checked against damage on the way. Pieces are cut anywhere, not as `save`
  /// wrote them; the last may be empty.
  [[nodiscard]] virtual std::span<const std::byte> bytes() const noexcept = 0;

  /// This state cannot be used: the member stays out of the group, and Group::join says `reason`.
  virtual void fail(std::string reason) noexcept = 0;
};

/// How far the state has come on its way from a donor to a joiner, at either of them.
struct TransferProgress {
  std::string donor;
  std::string joiner;
  std::uint64_t bytes = 0;  ///< so far
  bool complete = false;
};

}  // namespace lockstep
