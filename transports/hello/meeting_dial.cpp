#include <fmt/format.h>

#include <utility>

#include "transports/hello/hello_check.hpp"
#include "transports/hello/meeting.hpp"

/// How a member dials the others; meeting.cpp has the rest.
namespace lockstep::transports {
namespace {

/// Between two attempts at a peer that refuses: enough for it to be mended, and little work.
constexpr std::uint64_t kRedialNs = 50'000'000;
/// How long one address of a member keeps others from being tried.
constexpr std::uint64_t kNextAddressNs = 2'000'000'000;
/// How long a member of a group that runs waits for a connection to one that is not in it.
constexpr std::uint64_t kSeekPatienceNs = 500'000'000;

constexpr std::uint64_t bit(std::uint32_t rank) { return std::uint64_t{1} << rank; }

}  // namespace

bool Meeting::knows_address(std::uint32_t rank) const {
  return book_ == nullptr || !book_->address(rank).empty();
}

/// Of somebody that this member has not met: those that it has met may know it by now.
bool Meeting::lacks_an_address() const {
  for (std::uint32_t rank = 0; rank < known_.size(); ++rank) {
    if (rank != options_.my_rank && !known_[rank].link && !knows_address(rank)) return true;
  }
  return false;
}

bool Meeting::wants_to_dial(std::uint32_t rank, Purpose& purpose) const {
  const Known& peer = known_[rank];
  if (rank == options_.my_rank || !knows_address(rank)) return false;
  if (stage_ != Stage::running && !peer.link) {
    // Asked first: what a link needs is made for each attempt, and is not little.
    purpose = peer.lets_in ? Purpose::link : Purpose::question;
    return true;
  }
  if (options_.life_lines && peer.dialled && !peer.life_line) {
    purpose = Purpose::life_line;
    return true;
  }
  if (stage_ != Stage::running && lacks_an_address()) {
    purpose = Purpose::question;
    return true;
  }
  purpose = calls_[rank];
  return purpose != Purpose::link;
}

Expected<void> Meeting::dial(std::uint32_t rank) {
  Acquaintance& acquaintance = dialled_[rank];
  if (!acquaintance.conversation) {
    auto begun = begin_dialling(rank);
    if (!begun) return std::unexpected(begun.error());
    if (!*begun) return {};
  }
  if (!acquaintance.said_hello) {
    auto said = say_hello(acquaintance, rank, acquaintance.purpose);
    if (!said) return std::unexpected(said.error());
    acquaintance.said_hello = *said;
  }
  const std::uint64_t attempt_ns = clock_.now_ns();
  auto course = hear(acquaintance, rank);
  if (!course) return std::unexpected(course.error());
  if (*course == Course::open && gives_up(rank, acquaintance)) {
    acquaintance.fault = "did not answer";
    course = Course::over;
  }
  if (*course != Course::open) end_dialling(rank, *course, attempt_ns);
  return {};
}

/// False: there is nobody to talk to.
Expected<bool> Meeting::begin_dialling(std::uint32_t rank) {
  Acquaintance& acquaintance = dialled_[rank];
  Purpose purpose = Purpose::link;
  if (!wants_to_dial(rank, purpose) || clock_.now_ns() < acquaintance.dial_again_ns) return false;
  std::string address = book_ == nullptr ? std::string() : book_->address(rank);
  auto conversation = place_.dial(rank);
  if (!conversation) return std::unexpected(conversation.error());
  if (!*conversation) {
    if (book_ != nullptr) book_->nobody_there(rank, address);
    acquaintance.tried |= book_ == nullptr || book_->exhausted(rank);
    calls_[rank] = Purpose::link;
    return false;
  }
  known_[rank].lets_in = false;
  if ((*conversation)->near()) address.clear();
  acquaintance = {.conversation = std::move(*conversation),
                  .since_ns = clock_.now_ns(),
                  .purpose = purpose,
                  .address = std::move(address),
                  .fault = std::move(acquaintance.fault),
                  .tried = acquaintance.tried};
  return true;
}

/// A question is asked elsewhere if nobody answers it; other attempts end early only while the peer
/// has not shown that it is there.
bool Meeting::gives_up(std::uint32_t rank, const Acquaintance& dialled) const {
  const bool elsewhere = book_ != nullptr && book_->has_others(rank);
  const bool question = dialled.purpose == Purpose::question;
  const bool early = dialled.conversation->early();
  if (!early && !(question && elsewhere)) return false;
  std::uint64_t patience_ns = elsewhere ? kNextAddressNs : kHalfOpenNs;
  // Its host may be off for days, and each attempt keeps the thread awake.
  if (early && question && stage_ == Stage::running) patience_ns = kSeekPatienceNs;
  return clock_.now_ns() - dialled.since_ns > patience_ns;
}

/// Whoever comes up asks around by itself, unless it knows no address of anybody who runs: then it
/// learns one from the question.
void Meeting::seek_absent() {
  const std::uint64_t now_ns = clock_.now_ns();
  if (book_ == nullptr || stage_ != Stage::running || now_ns < seek_due_ns_) return;
  seek_due_ns_ = now_ns + kSeekNs;
  for (std::uint32_t rank = 0; rank < known_.size(); ++rank) {
    const bool absent = !known_[rank].link && (standing_.room & bit(rank)) != 0;
    if (absent && calls_[rank] == Purpose::link) call(rank, Purpose::question);
  }
}

/// Closed before it said anything, it was not there yet, or a predecessor ended: dialled again.
void Meeting::end_dialling(std::uint32_t rank, Course course, std::uint64_t attempt_ns) {
  Acquaintance& acquaintance = dialled_[rank];
  const std::string& address = acquaintance.address;
  if (course == Course::met) acquaintance.fault.clear();
  if (!address.empty()) {
    if (course == Course::alien && !book_->is_configured(rank, address)) {
      refusals_.add(address, fmt::format("was said to be {}: {}", named_member(options_, rank),
                                         acquaintance.fault));
    }
    if (course == Course::met) book_->met(rank, address);
    if (course == Course::alien) book_->disproved(rank, address);
    if (course == Course::over && !acquaintance.is_peer) book_->nobody_there(rank, address);
  }
  acquaintance.conversation.reset();
  acquaintance.tried |= course == Course::met || book_ == nullptr || book_->exhausted(rank);
  if (acquaintance.purpose > Purpose::life_line) calls_[rank] = Purpose::link;
  const bool refused = course != Course::met && !acquaintance.fault.empty();
  const Known& peer = known_[rank];
  const bool vain = course == Course::met && acquaintance.purpose == Purpose::question &&
                    (peer.link || !peer.lets_in);
  if (refused || vain) acquaintance.dial_again_ns = attempt_ns + kRedialNs;
}

}  // namespace lockstep::transports
