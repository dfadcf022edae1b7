#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "bench/word.hpp"
#include "lockstep/error.hpp"

namespace lockstep::bench {

/// What all members do now. The phase word is block × 4 + kind, so it never repeats.
enum class PhaseKind : std::uint64_t { subject, floor, finish };

struct Phase {
  std::uint64_t block = 0;
  PhaseKind kind = PhaseKind::subject;

  [[nodiscard]] std::uint64_t word() const noexcept {
    return block * 4 + static_cast<std::uint64_t>(kind);
  }
  static Phase of(std::uint64_t word) noexcept {
    return {word / 4, static_cast<PhaseKind>(word % 4)};
  }
};

/// The shared page by which the members of one benchmark keep step. Zero bytes are its start.
///
/// Rank 0 conducts: it alone writes `phase`, `started` and the two words beside it. Everything
/// else is written by the member it belongs to. Counters only grow: `arrived` is how often a
/// member has arrived at the start of a block, and so on; a barrier is "sum ≥ times × members".
struct Control {
  LoneWord phase;

  /// Block number + 1 of the last block that has begun; written after the two below.
  LoneWord started;
  Word start_ns;            ///< when it began
  Word subject_elapsed_ns;  ///< how long all earlier subject blocks took together

  LoneWord arrived;     ///< members at the start of their subject block
  LoneWord sent;        ///< members that will send no more in this block
  LoneWord published;   ///< messages by all members so far; added to before `sent`
  LoneWord drained;     ///< members that applied all that was published
  LoneWord drained_ns;  ///< the latest of them
  LoneWord streamed;    ///< members whose part in the stream floor is done
  LoneWord finished;    ///< members ready to leave

  /// The first failure, by whom and why.
  LoneWord failed_rank;  ///< rank + 1; 0: none so far
  std::uint64_t failure_code;
  std::array<char, 1024> failure;
  Word failure_written;

  /// Records what ended the benchmark; the first one counts. Any member.
  void fail_with(std::uint32_t rank, const Error& error) noexcept;
  /// What was recorded, with the rank in the message. For whoever waited for the members to end.
  [[nodiscard]] std::optional<Error> first_failure() noexcept;
  /// Raises `drained_ns`.
  void drained_at(std::uint64_t now_ns) noexcept;
};

}  // namespace lockstep::bench
