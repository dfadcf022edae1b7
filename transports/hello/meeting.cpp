#include "transports/hello/meeting.hpp"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "runtime/clock.hpp"
#include "transports/hello/hello_check.hpp"
#include "transports/hello/refusals.hpp"

namespace lockstep::transports {
namespace {

constexpr int kRetryMs = 5;
constexpr std::uint64_t kHalfOpenNs = 5'000'000'000;
/// Between two attempts at a peer that refuses: enough for it to be mended, and little work.
constexpr std::uint64_t kRedialNs = 50'000'000;
/// Connections taken in one turn: a flood of them does not keep the rest of the turn waiting.
constexpr int kMostWelcomedAtOnce = 64;

/// One connection on its way to being a peer.
struct Acquaintance {
  std::unique_ptr<Conversation> conversation;
  std::uint64_t since_ns = 0;
  Purpose purpose = Purpose::link;  ///< of who was dialled
  bool said_hello = false;
  std::string fault{};              ///< why it, or the last one to the same rank, came to nothing
  std::uint64_t dial_again_ns = 0;  ///< of who was dialled: not before
};

/// How a connection stands.
enum class Course : std::uint8_t {
  open,  ///< more is to come
  met,   ///< moved to the peers
  over,  ///< of no use any more; `fault` may tell why
};

class Meeting {
 public:
  Meeting(const MeetingOptions& options, MeetingPlace& place, const OfferFor& offer_for,
          const Examine& examine)
      : options_(options),
        place_(place),
        offer_for_(offer_for),
        examine_(examine),
        peers_(options.members.size()),
        dialled_(options.my_rank) {}

  Expected<Met> run();

 private:
  Expected<void> dial(std::uint32_t rank);
  void welcome();
  void make_room();
  Expected<void> hear_strangers();
  Expected<Course> hear(Acquaintance& acquaintance, std::uint32_t expected_rank);
  Expected<Course> consider(Acquaintance& acquaintance, std::uint32_t expected_rank, Heard heard);
  bool say_hello(Acquaintance& acquaintance, std::uint32_t rank, Purpose purpose);
  [[nodiscard]] bool wants(const Hello& hello, const Acquaintance& acquaintance) const;
  void keep(Acquaintance& acquaintance, Hello&& hello, Heard&& heard);
  void wait(std::uint64_t deadline_ns) const;
  [[nodiscard]] bool has(std::uint32_t rank, Purpose purpose) const {
    const MetPeer& peer = peers_[rank];
    return purpose == Purpose::link ? peer.socket.open() : peer.life_line.open();
  }
  [[nodiscard]] bool met(std::uint32_t rank) const {
    return has(rank, Purpose::link) && (!options_.life_lines || has(rank, Purpose::life_line));
  }
  [[nodiscard]] bool half_open(const Acquaintance& one) const {
    return clock_.now_ns() - one.since_ns > kHalfOpenNs;
  }
  [[nodiscard]] bool complete() const;
  [[nodiscard]] Error absent() const;
  [[nodiscard]] std::vector<std::string> notices() const;
  [[nodiscard]] std::string named(std::uint32_t rank) const { return named_member(options_, rank); }

  const MeetingOptions& options_;
  MeetingPlace& place_;
  const OfferFor& offer_for_;
  const Examine& examine_;
  runtime::TscClock clock_;
  Descriptor listener_;
  std::vector<MetPeer> peers_;           ///< by rank; those met have a socket
  std::vector<Acquaintance> dialled_;    ///< by rank, to lower ranks
  std::vector<Acquaintance> strangers_;  ///< from higher ranks, until they say who they are
  Refusals refusals_;
};

Expected<Met> Meeting::run() {
  auto listener = place_.listen();
  if (!listener) return std::unexpected(listener.error());
  listener_ = std::move(*listener);
  const std::uint64_t deadline = clock_.now_ns() + options_.timeout_ns;
  while (!complete()) {
    for (std::uint32_t rank = 0; rank < options_.my_rank; ++rank) {
      if (met(rank)) continue;
      if (auto dialled = dial(rank); !dialled) return std::unexpected(dialled.error());
    }
    welcome();
    if (auto heard = hear_strangers(); !heard) return std::unexpected(heard.error());
    if (complete()) break;
    if (clock_.now_ns() >= deadline) return std::unexpected(absent());
    wait(deadline);
  }
  peers_.erase(peers_.begin() + options_.my_rank);
  return Met{.listener = std::move(listener_),
             .peers = std::move(peers_),
             .refused = refusals_.total(),
             .notices = notices()};
}

Expected<void> Meeting::dial(std::uint32_t rank) {
  Acquaintance& acquaintance = dialled_[rank];
  if (!acquaintance.conversation) {
    if (clock_.now_ns() < acquaintance.dial_again_ns) return {};
    auto conversation = place_.dial(rank);
    if (!conversation) return std::unexpected(conversation.error());
    if (!*conversation) return {};
    acquaintance = {.conversation = std::move(*conversation),
                    .since_ns = clock_.now_ns(),
                    .purpose = has(rank, Purpose::link) ? Purpose::life_line : Purpose::link,
                    .fault = std::move(acquaintance.fault)};
  }
  if (!acquaintance.said_hello) {
    acquaintance.said_hello = say_hello(acquaintance, rank, acquaintance.purpose);
  }
  const std::uint64_t attempt_ns = clock_.now_ns();
  auto course = hear(acquaintance, rank);
  if (!course) return std::unexpected(course.error());
  if (*course == Course::open && acquaintance.conversation->early() && half_open(acquaintance)) {
    acquaintance.fault = "did not answer the handshake";
    course = Course::over;
  }
  if (*course == Course::met) acquaintance.fault.clear();
  // Closed before it said anything: it was not there yet, or a predecessor ended. Dial again.
  if (*course == Course::open) return {};
  acquaintance.conversation.reset();
  if (!acquaintance.fault.empty()) acquaintance.dial_again_ns = attempt_ns + kRedialNs;
  return {};
}

void Meeting::welcome() {
  for (int taken = 0; taken < kMostWelcomedAtOnce; ++taken) {
    auto conversation = place_.accept(listener_);
    if (!conversation) return;
    if (strangers_.size() >= 2 * options_.members.size() + 8) make_room();
    strangers_.push_back({.conversation = std::move(conversation), .since_ns = clock_.now_ns()});
  }
}

/// Whoever has said something that a member may have said stays longest: a crowd that only connects
/// does not push members out.
void Meeting::make_room() {
  auto oldest = std::ranges::find_if(
      strangers_, [](const Acquaintance& one) { return one.conversation->early(); });
  if (oldest == strangers_.end()) oldest = strangers_.begin();
  refusals_.add(oldest->conversation->peer(), "said too little while others waited");
  strangers_.erase(oldest);
}

Expected<void> Meeting::hear_strangers() {
  for (Acquaintance& stranger : strangers_) {
    const std::string from = stranger.conversation->peer();
    auto course = hear(stranger, kAnyRank);
    if (!course) return std::unexpected(course.error());
    if (*course == Course::open && half_open(stranger)) {
      stranger.fault = fmt::format("said too little for {} s", kHalfOpenNs / 1'000'000'000);
      course = Course::over;
    }
    if (*course == Course::open) continue;
    if (*course == Course::over) {
      refusals_.add(from, stranger.fault.empty() ? "closed the connection" : stranger.fault);
    }
    stranger.conversation.reset();
  }
  std::erase_if(strangers_, [](const Acquaintance& one) { return one.conversation == nullptr; });
  return {};
}

Expected<Course> Meeting::hear(Acquaintance& acquaintance, std::uint32_t expected_rank) {
  Heard heard = acquaintance.conversation->hear();
  switch (heard.what) {
    case Heard::What::nothing:
      return Course::open;
    case Heard::What::closed:
    case Heard::What::refused:
      // What was said once explains more than that nobody is there any more.
      if (!heard.reason.empty()) acquaintance.fault = std::move(heard.reason);
      return Course::over;
    case Heard::What::mismatch:
      return fail(
          ErrorCode::mismatch,
          fmt::format("{} at {} {}", expected_rank == kAnyRank ? "a process" : named(expected_rank),
                      acquaintance.conversation->peer(), heard.reason));
    case Heard::What::hello:
      break;
  }
  return consider(acquaintance, expected_rank, std::move(heard));
}

Expected<Course> Meeting::consider(Acquaintance& acquaintance, std::uint32_t expected_rank,
                                   Heard heard) {
  auto hello = decode(heard.packet);
  acquaintance.fault = "sent what is no hello";
  if (!hello) return Course::over;
  if (auto checked = check_sender(*hello, options_, expected_rank); !checked) {
    return std::unexpected(checked.error());
  }
  acquaintance.fault = "said a hello of a member that is here already, or not all of it";
  if (heard.descriptors.size() != options_.descriptor_count || !wants(*hello, acquaintance)) {
    return Course::over;
  }
  // Before an error may end us: the other side shall be able to name both values too.
  if (!acquaintance.said_hello) {
    acquaintance.said_hello = say_hello(acquaintance, hello->rank, hello->purpose);
  }
  if (hello->purpose == Purpose::link) {
    auto examined = examine_(hello->rank, hello->introduction);
    if (!examined) return std::unexpected(examined.error());
  }
  if (auto agreed = check_terms(*hello, options_); !agreed) return std::unexpected(agreed.error());
  acquaintance.fault = "ended while it was answered";
  if (!acquaintance.said_hello) return Course::over;
  // The socket's buffer was full: what is left must go out before the transport's first byte does.
  if (acquaintance.conversation->sending()) return Course::open;
  keep(acquaintance, std::move(*hello), std::move(heard));
  return Course::met;
}

bool Meeting::wants(const Hello& hello, const Acquaintance& acquaintance) const {
  if (has(hello.rank, hello.purpose)) return false;
  // Who was dialled answers what it was told.
  if (acquaintance.said_hello && hello.rank < options_.my_rank) {
    return hello.purpose == acquaintance.purpose;
  }
  return hello.purpose == Purpose::link || options_.life_lines;
}

void Meeting::keep(Acquaintance& acquaintance, Hello&& hello, Heard&& heard) {
  MetPeer& peer = peers_[hello.rank];
  if (hello.purpose == Purpose::life_line) {
    peer.life_line = acquaintance.conversation->release();
    return;
  }
  peer.rank = hello.rank;
  peer.socket = acquaintance.conversation->release();
  peer.parameters = std::move(hello.parameters);
  peer.descriptors = std::move(heard.descriptors);
}

bool Meeting::say_hello(Acquaintance& acquaintance, std::uint32_t rank, Purpose purpose) {
  if (purpose == Purpose::life_line) {
    // Who they are was said over the link.
    return acquaintance.conversation->say(encode({.medium = options_.medium,
                                                  .purpose = purpose,
                                                  .rank = options_.my_rank,
                                                  .region_bytes = options_.region_bytes}),
                                          {});
  }
  Offer offer = offer_for_(rank);
  const auto packet = encode({.medium = options_.medium,
                              .rank = options_.my_rank,
                              .region_bytes = options_.region_bytes,
                              .introduction = options_.introduction,
                              .parameters = std::move(offer.parameters)});
  return acquaintance.conversation->say(packet, offer.descriptors);
}

void Meeting::wait(std::uint64_t deadline_ns) const {
  std::vector<pollfd> waited_on{{.fd = listener_.get(), .events = POLLIN, .revents = 0}};
  const auto add = [&](const Acquaintance& one) {
    if (!one.conversation) return;
    const int events = one.conversation->sending() ? POLLIN | POLLOUT : POLLIN;
    waited_on.push_back(
        {.fd = one.conversation->descriptor(), .events = static_cast<short>(events), .revents = 0});
  };
  std::ranges::for_each(dialled_, add);
  std::ranges::for_each(strangers_, add);
  const std::uint64_t left_ms = (deadline_ns - clock_.now_ns()) / 1'000'000 + 1;
  ::poll(waited_on.data(), waited_on.size(),
         static_cast<int>(std::min<std::uint64_t>(left_ms, kRetryMs)));
}

bool Meeting::complete() const {
  for (std::uint32_t rank = 0; rank < peers_.size(); ++rank) {
    if (rank != options_.my_rank && !met(rank)) return false;
  }
  return true;
}

std::vector<std::string> Meeting::notices() const {
  std::vector<std::string> lines = refusals_.notices();
  if (auto notice = place_.notice(); !notice.empty()) lines.insert(lines.begin(), notice);
  return lines;
}

Error Meeting::absent() const {
  std::string names;
  std::string reasons;
  for (std::uint32_t rank = 0; rank < peers_.size(); ++rank) {
    if (rank == options_.my_rank || met(rank)) continue;
    names += (names.empty() ? "" : ", ") + named(rank);
    const bool told = rank < dialled_.size() && !dialled_[rank].fault.empty();
    if (told) reasons += fmt::format("; {} {}", named(rank), dialled_[rank].fault);
  }
  for (const std::string& line : refusals_.notices()) reasons += "; " + line;
  return {
      ErrorCode::member_absent,
      fmt::format("{} of group '{}' did not appear within {:.1f} s; start it, check that "
                  "group.name is the same everywhere, or raise group.join_timeout_ns{}",
                  names, options_.group, static_cast<double>(options_.timeout_ns) / 1e9, reasons)};
}

}  // namespace

Expected<Met> meet(const MeetingOptions& options, MeetingPlace& place, const OfferFor& offer_for,
                   const Examine& examine) {
  return Meeting(options, place, offer_for, examine).run();
}

}  // namespace lockstep::transports
