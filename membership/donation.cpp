#include "membership/donation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace lockstep::membership {
namespace {

/// The joiner acknowledges once a step, so there is seldom more than one word; nobody who sends
/// more keeps the reactor.
constexpr int kWordsPerStep = 8;

}  // namespace

/// What the application writes to during one call of `save`.
class Donation::Writer final : public SnapshotWriter {
 public:
  explicit Writer(Donation& donation) noexcept : donation_(donation) {}

  [[nodiscard]] bool first() const noexcept override { return donation_.first_; }
  [[nodiscard]] std::uint64_t cut() const noexcept override { return donation_.id_.cut; }
  [[nodiscard]] std::size_t room() const noexcept override {
    return std::min(budget_, donation_.window_.room());
  }
  std::size_t write(std::span<const std::byte> bytes) noexcept override {
    const std::size_t taken = donation_.window_.write(bytes.first(std::min(bytes.size(), budget_)));
    budget_ -= taken;
    return taken;
  }
  void fail(std::string reason) noexcept override {
    donation_.end(State::failed, std::move(reason));
  }

  [[nodiscard]] bool wrote() const noexcept { return budget_ < kBytesPerSave; }

 private:
  Donation& donation_;
  std::size_t budget_ = kBytesPerSave;
};

Donation::Donation(StateMachine& application, TransferId id, std::string donor, std::string joiner)
    : application_(application),
      id_(id),
      window_(id),
      report_(application, std::move(donor), std::move(joiner)) {
  save();
}

bool Donation::save() {
  if (window_.room() == 0) return false;
  Writer writer(*this);
  const bool all = application_.save(writer);
  first_ = false;
  if (state_ == State::failed) return true;
  if (all) {
    window_.seal_last();
  } else {
    window_.seal_full();
  }
  return all || writer.wrote();
}

void Donation::attach() noexcept {
  opened_ = false;
  owes_say_again_ = false;
  repeats_ = 0;
  if (state_ == State::broken) state_ = State::going;
  owes_reason_ = state_ == State::failed || state_ == State::unresumable;
}

bool Donation::settled() const noexcept {
  return state_ == State::complete ||
         (!owes_reason_ && (state_ == State::failed || state_ == State::unresumable));
}

bool Donation::step(transports::StateChannel* channel) {
  bool busy = false;
  if (channel != nullptr) busy |= hear(*channel);
  if (state_ == State::going || state_ == State::broken) busy |= save();
  if (channel != nullptr) busy |= speak(*channel);
  return busy;
}

bool Donation::hear(transports::StateChannel& channel) {
  for (int words = 0; words < kWordsPerStep; ++words) {
    const auto bytes = channel.receive();
    if (bytes.empty()) {
      if (!channel.open() && state_ == State::going) state_ = State::broken;
      return words > 0;
    }
    if (const auto packet = decode(bytes)) {
      hear(*packet);
    } else if (state_ == State::going) {
      owes_say_again_ = true;
      count_repeat();
    }
  }
  return true;
}

void Donation::hear(const TransferPacket& packet) {
  // Whoever still asks has not heard why there is nothing.
  if (state_ == State::failed || state_ == State::unresumable) {
    owes_reason_ = packet.kind == TransferKind::wanted;
  }
  if (state_ != State::going) return;
  if (packet.id != id_) {
    end(State::failed, fmt::format("the joiner asks for the state of view {}, this is that of {}, "
                                   "or it is another incarnation",
                                   packet.id.cut, id_.cut));
  } else if (packet.kind == TransferKind::wanted) {
    hear_wanted(packet.number, packet.again);
  } else if (packet.kind == TransferKind::failed) {
    end(State::failed, reason_in(packet));
    owes_reason_ = false;
  } else {
    end(State::failed, "the joiner says what only a donor says");
  }
}

void Donation::hear_wanted(std::uint64_t number, bool again) {
  if (number > sent_) {
    return end(State::failed,
               fmt::format("the joiner acknowledges {} chunks, {} were sent", number, sent_));
  }
  if (number < window_.begin()) {
    if (!again) return;
    return end(State::unresumable,
               fmt::format("the joiner asks for chunk {}, it had acknowledged {} of them", number,
                           window_.begin()));
  }
  if (number > window_.begin()) {
    report_.add(window_.release(number));
    next_ = std::max(next_, number);
    repeats_ = 0;
  }
  if (window_.whole() && number == window_.end()) {
    state_ = State::complete;
    report_.complete();
    return;
  }
  if (again) {
    if (opened_) count_repeat();
    opened_ = true;
    next_ = number;
  }
}

bool Donation::speak(transports::StateChannel& channel) {
  if (owes_reason_) {
    owes_reason_ = !say(channel, TransferKind::failed);
  } else if (owes_say_again_) {
    owes_say_again_ = !say(channel, TransferKind::say_again);
  }
  const bool sent = state_ == State::going && opened_ && send_chunks(channel);
  channel.flush();
  return sent;
}

bool Donation::say(transports::StateChannel& channel, TransferKind kind) const {
  std::array<std::byte, sizeof(TransferHeader) + kMostReasonBytes> place;
  const auto body = kind == TransferKind::failed ? body_of(reason_) : std::span<const std::byte>{};
  return channel.send(encode({.kind = kind, .id = id_, .body = body}, place));
}

bool Donation::send_chunks(transports::StateChannel& channel) {
  std::size_t chunks = 0;
  while (chunks < kChunksPerStep && next_ < window_.end() && channel.send(window_.packet(next_))) {
    ++next_;
    ++chunks;
  }
  sent_ = std::max(sent_, next_);
  return chunks > 0;
}

void Donation::count_repeat() {
  if (++repeats_ <= kMostRepeats) return;
  end(State::failed, fmt::format("damaged on the way {} times in a row, at chunk {}: the "
                                 "connection to the joiner is not fit to carry the state",
                                 kMostRepeats, window_.begin()));
}

void Donation::end(State state, std::string reason) {
  state_ = state;
  reason_ = std::move(reason);
  owes_reason_ = true;
}

}  // namespace lockstep::membership
