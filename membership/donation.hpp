#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "lockstep/state_machine.hpp"
#include "membership/chunk_window.hpp"
#include "membership/transfer_packet.hpp"
#include "membership/transfer_report.hpp"
#include "transports/state_channel.hpp"

namespace lockstep::membership {

/// The donor's side of one snapshot: asks the application for it, bounded pieces at a time, and
/// keeps what the joiner has not acknowledged, so that it can ask for it again: damaged on the way,
/// or over another connection. Memory is allocated at the beginning, about 1 MiB.
///
/// The joiner speaks first, on every connection: from which chunk on. Nobody waits for anybody here
/// and there is no clock; how long a joiner may take is for the owner to say. Reactor thread only.
class Donation {
 public:
  enum class State : std::uint8_t {
    going,
    broken,       ///< the channel is closed; `attach` when the joiner has dialled again
    complete,     ///< the joiner has loaded everything
    failed,       ///< see reason()
    unresumable,  ///< the joiner asks for what is no longer here: it needs another donation
  };

  /// How many chunks one step saves, and sends: so that no turn takes more than about 100 µs.
  static constexpr std::size_t kChunksPerStep = 2;
  static constexpr std::size_t kBytesPerSave = kChunksPerStep * kMostChunkBytes;
  /// How often in a row, without a chunk acknowledged between, a joiner is sent chunks again.
  static constexpr std::uint32_t kMostRepeats = 32;

  /// Calls `save` for the first time, so it is made when the view `id.cut` begins, before any
  /// message of it. `application` outlives this. The names are for TransferProgress.
  Donation(StateMachine& application, TransferId id, std::string donor, std::string joiner);

  /// Does a bounded piece of what there is to do. `channel`: to the joiner, null while there is
  /// none. Does not block or allocate, unless the transfer ends in failure. True: something was
  /// done, so another step soon is worthwhile.
  bool step(transports::StateChannel* channel);

  /// The channel that `step` is given from now on is another one.
  void attach() noexcept;

  [[nodiscard]] State state() const noexcept { return state_; }
  /// Why it failed or cannot be resumed; for people.
  [[nodiscard]] const std::string& reason() const noexcept { return reason_; }
  /// Nothing is left to be done or said: the donation may end.
  [[nodiscard]] bool settled() const noexcept;

  [[nodiscard]] const TransferId& id() const noexcept { return id_; }
  [[nodiscard]] const TransferProgress& progress() const noexcept { return report_.progress(); }

 private:
  class Writer;

  bool save();
  bool hear(transports::StateChannel& channel);
  void hear(const TransferPacket& packet);
  void hear_wanted(std::uint64_t number, bool again);
  bool speak(transports::StateChannel& channel);
  bool say(transports::StateChannel& channel, TransferKind kind) const;
  bool send_chunks(transports::StateChannel& channel);
  void count_repeat();
  void end(State state, std::string reason);

  StateMachine& application_;
  TransferId id_;
  ChunkWindow window_;
  TransferReport report_;
  State state_ = State::going;
  std::string reason_;

  std::uint64_t next_ = 0;     ///< the chunk to send next
  std::uint64_t sent_ = 0;     ///< one past the highest ever sent
  std::uint32_t repeats_ = 0;  ///< since the last acknowledgement of something new
  bool first_ = true;          ///< `save` was not called yet
  bool opened_ = false;        ///< the joiner has spoken on this channel
  bool owes_say_again_ = false;
  bool owes_reason_ = false;
};

}  // namespace lockstep::membership
