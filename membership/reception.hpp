#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "lockstep/state_machine.hpp"
#include "membership/transfer_packet.hpp"
#include "membership/transfer_report.hpp"
#include "transports/state_channel.hpp"

namespace lockstep::membership {

/// The joiner's side of one snapshot: loads chunks as they come, in order, acknowledges them
/// together, and asks again from one on that came damaged. Keeps no chunk, so whatever a donor
/// sends, memory is fixed and a step is short.
///
/// There is no clock: how long a donor may say nothing is for the owner to say. Reactor thread
/// only.
class Reception {
 public:
  enum class State : std::uint8_t {
    going,
    broken,  ///< the channel is closed; `attach` after dialling again
    complete,
    failed,  ///< see reason() and blame()
  };
  /// Who is to blame for the failure.
  enum class Blame : std::uint8_t {
    donor,     ///< it says that it cannot give the state
    load,      ///< the application here cannot use it
    protocol,  ///< what came cannot come from a correct donor, or not undamaged
  };

  /// How many packets one step takes: so that no turn takes more than about 100 µs.
  static constexpr std::size_t kPacketsPerStep = 2;
  /// How often in a row, without a chunk loaded between, chunks are asked for again.
  static constexpr std::uint32_t kMostRepeats = 16;

  /// For the snapshot `id` and no other. `application` outlives this. The names are for
  /// TransferProgress.
  Reception(StateMachine& application, TransferId id, std::string donor, std::string joiner);

  /// Does a bounded piece of what there is to do: at most kPacketsPerStep calls of `load`. Does not
  /// block or allocate, unless the transfer ends in failure. True: something came, so another step
  /// soon is worthwhile.
  bool step(transports::StateChannel& channel);

  /// The channel that `step` is given from now on is another one, to the same donor.
  void attach() noexcept;

  [[nodiscard]] State state() const noexcept { return state_; }
  /// Why it failed; for people.
  [[nodiscard]] const std::string& reason() const noexcept { return reason_; }
  [[nodiscard]] Blame blame() const noexcept { return blame_; }
  /// Nothing is left to be done or said, or nobody to say it to: reception and channel may end. A
  /// word that came to the donor damaged is said again as long as they do not.
  [[nodiscard]] bool settled() const noexcept {
    return (state_ == State::complete || state_ == State::failed) && owes_ == Owes::nothing;
  }

  [[nodiscard]] const TransferId& id() const noexcept { return id_; }
  [[nodiscard]] const TransferProgress& progress() const noexcept { return report_.progress(); }

 private:
  class Reader;
  /// What is to be said to the donor.
  enum class Owes : std::uint8_t { nothing, flush, acknowledgement, again, reason };

  void hear(const TransferPacket& packet);
  void hear_chunk(const TransferPacket& packet);
  void load(const TransferPacket& packet);
  void ask_again();
  void say_last_word_again(const std::optional<TransferPacket>& packet) noexcept;
  void speak(transports::StateChannel& channel);
  void fail(Blame blame, std::string reason);

  StateMachine& application_;
  TransferId id_;
  TransferReport report_;
  State state_ = State::going;
  std::string reason_;
  Blame blame_ = Blame::protocol;

  std::uint64_t next_ = 0;       ///< the chunk to load next
  std::uint32_t repeats_ = 0;    ///< times asked again since one was loaded
  std::uint32_t passed_by_ = 0;  ///< chunks that came meanwhile and were of no use
  Owes owes_ = Owes::again;      ///< the joiner speaks first
};

}  // namespace lockstep::membership
