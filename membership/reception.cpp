#include "membership/reception.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "membership/chunk_window.hpp"

namespace lockstep::membership {
namespace {

/// When a chunk is asked for again, as many as a window may be on their way already.
constexpr std::uint32_t kMostPassedBy = 2 * ChunkWindow::kChunks;

}  // namespace

/// What the application reads from during one call of `load`.
class Reception::Reader final : public SnapshotReader {
 public:
  Reader(Reception& reception, const TransferPacket& chunk) noexcept
      : reception_(reception), chunk_(chunk) {}

  [[nodiscard]] bool first() const noexcept override { return chunk_.number == 0; }
  [[nodiscard]] bool last() const noexcept override { return chunk_.last; }
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept override { return chunk_.body; }
  void fail(std::string reason) noexcept override {
    reception_.fail(Blame::load, std::move(reason));
  }

 private:
  Reception& reception_;
  const TransferPacket& chunk_;
};

Reception::Reception(StateMachine& application, TransferId id, std::string donor,
                     std::string joiner)
    : application_(application),
      id_(id),
      report_(application, std::move(donor), std::move(joiner)) {}

void Reception::attach() noexcept {
  if (state_ == State::broken) state_ = State::going;
  // Also says that everything was loaded, if the donor has not heard it.
  owes_ = state_ == State::failed ? Owes::reason : Owes::again;
  passed_by_ = 0;
}

bool Reception::step(transports::StateChannel& channel) {
  std::size_t packets = 0;
  for (; packets < kPacketsPerStep; ++packets) {
    const auto bytes = channel.receive();
    if (bytes.empty()) break;
    const auto packet = decode(bytes);
    if (state_ != State::going) {
      say_last_word_again(packet);
    } else if (packet) {
      hear(*packet);
    } else {
      ask_again();
    }
  }
  speak(channel);
  if (packets == 0 && !channel.open()) {
    if (state_ == State::going) state_ = State::broken;
    owes_ = Owes::nothing;
  }
  return packets > 0;
}

void Reception::say_last_word_again(const std::optional<TransferPacket>& packet) noexcept {
  // What is damaged may have been the donor's wish to hear it again.
  if (packet && packet->kind != TransferKind::say_again) return;
  if (state_ == State::complete) owes_ = Owes::acknowledgement;
  if (state_ == State::failed && blame_ != Blame::donor) owes_ = Owes::reason;
}

void Reception::hear(const TransferPacket& packet) {
  if (packet.id != id_) {
    return fail(Blame::protocol,
                fmt::format("the donor gives the state of view {}, this member joins with that of "
                            "view {}, or it takes it for another incarnation",
                            packet.id.cut, id_.cut));
  }
  switch (packet.kind) {
    case TransferKind::chunk:
      return hear_chunk(packet);
    case TransferKind::say_again:
      return ask_again();
    case TransferKind::failed:
      return fail(Blame::donor, reason_in(packet));
    case TransferKind::wanted:
      return fail(Blame::protocol, "the donor says what only a joiner says");
  }
}

void Reception::hear_chunk(const TransferPacket& packet) {
  if (packet.number == next_) return load(packet);
  // One is missing; unless it was asked for already, and these were on their way before.
  const bool asked = repeats_ > 0;
  if (packet.number > next_ && !asked) return ask_again();
  if (++passed_by_ > kMostPassedBy) ask_again();
}

void Reception::load(const TransferPacket& packet) {
  Reader reader(*this, packet);
  application_.load(reader);
  if (state_ == State::failed) return;
  ++next_;
  repeats_ = 0;
  passed_by_ = 0;
  owes_ = Owes::acknowledgement;
  report_.add(packet.body.size());
  if (!packet.last) return;
  state_ = State::complete;
  report_.complete();
}

void Reception::ask_again() {
  passed_by_ = 0;
  owes_ = Owes::again;
  if (++repeats_ <= kMostRepeats) return;
  fail(Blame::protocol, fmt::format("chunk {} of the state did not come undamaged, asked for {} "
                                    "times: the connection to the donor is not fit to carry it",
                                    next_, kMostRepeats));
}

void Reception::speak(transports::StateChannel& channel) {
  if (owes_ > Owes::flush) {
    std::array<std::byte, sizeof(TransferHeader) + kMostReasonBytes> place;
    const bool failed = owes_ == Owes::reason;
    const auto packet =
        failed ? encode({.kind = TransferKind::failed, .id = id_, .body = body_of(reason_)}, place)
               : encode({.kind = TransferKind::wanted,
                         .id = id_,
                         .number = next_,
                         .again = owes_ == Owes::again},
                        place);
    if (channel.send(packet)) owes_ = Owes::flush;
  }
  if (owes_ == Owes::flush && channel.flush()) owes_ = Owes::nothing;
}

void Reception::fail(Blame blame, std::string reason) {
  state_ = State::failed;
  blame_ = blame;
  reason_ = std::move(reason);
  // A donor that gave up knows it.
  owes_ = blame == Blame::donor ? Owes::nothing : Owes::reason;
}

}  // namespace lockstep::membership
