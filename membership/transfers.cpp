#include "membership/transfers.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace lockstep::membership {
namespace {

/// Between two attempts to reach the donor.
constexpr std::uint64_t kRedialNs = 100'000'000;

TransferId id_of(const Donors::Donation& donation, const ordering::ViewLayout& layout) {
  const auto rank = std::ranges::find(layout.links, donation.to) - layout.links.begin();
  return {.cut = donation.cut, .joiner = layout.nonces[static_cast<std::size_t>(rank)]};
}

}  // namespace

bool Transfers::installed(std::uint64_t view, const ordering::ViewLayout& layout,
                          const Donors& donors, bool has_state) {
  const auto& donations = donors.donations();
  const auto mine = std::ranges::find(donations, mine_, &Donors::Donation::from);
  if (mine == donations.end()) {
    given_.reset();
  } else if (mine->cut == view) {
    given_ = Given{.to = mine->to,
                   .channel = nullptr,
                   .donation = std::make_unique<Donation>(application_, id_of(*mine, layout),
                                                          names_[mine_], names_[mine->to])};
  }
  if (has_state) return false;
  const auto to_me = std::ranges::find(donations, mine_, &Donors::Donation::to);
  waits_ = to_me == donations.end();
  if (!waits_ && to_me->cut != view) return false;
  channel_.reset();
  reception_.reset();
  if (waits_) return false;
  donor_ = to_me->from;
  reception_.emplace(application_, id_of(*to_me, layout), names_[donor_], names_[mine_]);
  dial_ns_ = 0;
  return true;
}

void Transfers::arrived(transports::LinkId link,
                        std::unique_ptr<transports::StateChannel> channel) {
  if (reception_ && link == donor_ && channel_ == nullptr) {
    channel_ = std::move(channel);
    reception_->attach();
    return;
  }
  // Who asks for what is not given will dial again, and give up in the end.
  if (!given_ || given_->to != link) return;
  given_->channel = std::move(channel);
  given_->donation->attach();
}

bool Transfers::step(std::uint64_t now_ns) {
  const bool gave = step_donation();
  return step_reception(now_ns) || gave;
}

bool Transfers::step_donation() {
  if (!given_) return false;
  const bool busy = given_->donation->step(given_->channel.get());
  if (given_->donation->state() == Donation::State::broken) given_->channel.reset();
  if (given_->donation->settled()) given_.reset();
  return busy;
}

bool Transfers::step_reception(std::uint64_t now_ns) {
  if (!reception_) return false;
  if (channel_) {
    const bool busy = reception_->step(*channel_);
    if (reception_->state() == Reception::State::broken) channel_.reset();
    return busy;
  }
  const bool over = reception_->state() == Reception::State::complete ||
                    reception_->state() == Reception::State::failed;
  if (over || now_ns < dial_ns_) return false;
  dial_ns_ = now_ns + kRedialNs;
  dialler_.dial_for_state(donor_);
  return true;
}

std::optional<Error> Transfers::failure() const {
  if (!reception_ || reception_->state() != Reception::State::failed) return std::nullopt;
  const char* who = "";
  ErrorCode code = ErrorCode::member_lost;
  switch (reception_->blame()) {
    case Reception::Blame::donor:
      who = "the donor cannot give it: ";
      break;
    case Reception::Blame::load:
      who = "this member cannot load it: ";
      code = ErrorCode::state_refused;
      break;
    case Reception::Blame::protocol:
      who = "it does not arrive undamaged: ";
      break;
  }
  return Error{code, fmt::format("the state from '{}' is of no use: {}{}", names_[donor_], who,
                                 reception_->reason())};
}

void Transfers::caught_up() noexcept {
  reception_.reset();
  channel_.reset();
}

}  // namespace lockstep::membership
