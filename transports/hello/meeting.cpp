#include "transports/hello/meeting.hpp"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "transports/hello/hello_check.hpp"

namespace lockstep::transports {
namespace {

constexpr int kRetryMs = 5;
/// How long founders look for a running group at the places of those who are no founders.
constexpr std::uint64_t kLookAroundNs = 1'000'000'000;
/// Connections taken in one turn: a flood of them does not keep the rest of the turn waiting.
constexpr int kMostWelcomedAtOnce = 64;

constexpr std::uint64_t bit(std::uint32_t rank) { return std::uint64_t{1} << rank; }

}  // namespace

Meeting::Meeting(MeetingOptions options, MeetingPlace& place, OfferFor offer_for, Examine examine,
                 Keep keep)
    : options_(std::move(options)),
      place_(place),
      book_(place.addresses()),
      offer_for_(std::move(offer_for)),
      examine_(std::move(examine)),
      keep_(std::move(keep)),
      known_(options_.members.size()),
      dialled_(options_.members.size()),
      calls_(options_.members.size(), Purpose::link) {
  standing_.incarnation = options_.incarnation;
}

Expected<void> Meeting::open() {
  auto listener = place_.listen();
  if (!listener) return std::unexpected(listener.error());
  listener_ = std::move(*listener);
  began_ns_ = clock_.now_ns();
  return {};
}

Expected<void> Meeting::gather() {
  const std::uint64_t deadline_ns = began_ns_ + options_.timeout_ns;
  while (true) {
    if (auto looked = step(); !looked) return looked;
    if (can_found() || stage_ == Stage::joining) return {};
    const std::uint64_t now_ns = clock_.now_ns();
    if (now_ns >= deadline_ns) return std::unexpected(absent());
    const std::uint64_t left_ms = (deadline_ns - now_ns) / 1'000'000 + 1;
    wait(-1, static_cast<int>(std::min<std::uint64_t>(left_ms, kRetryMs)));
  }
}

Expected<void> Meeting::step() {
  seek_absent();
  for (std::uint32_t rank = 0; rank < known_.size(); ++rank) {
    if (rank == options_.my_rank) continue;
    if (auto dialled = dial(rank); !dialled) return dialled;
  }
  welcome();
  return hear_strangers();
}

void Meeting::run(const Standing& standing, std::uint64_t broken) {
  standing_ = standing;
  broken_ = broken;
  standing_.incarnation = options_.incarnation;
  if (stage_ == Stage::running) return;
  stage_ = Stage::running;
  seek_due_ns_ = clock_.now_ns() + kSeekNs;
  for (Acquaintance& one : dialled_) {
    if (one.purpose != Purpose::life_line) one = {};
  }
}

void Meeting::forget(std::uint32_t rank) noexcept { known_[rank] = {}; }

void Meeting::call(std::uint32_t rank, Purpose purpose) {
  calls_[rank] = knows_address(rank) ? purpose : Purpose::link;
}

bool Meeting::idle() const noexcept {
  if (!strangers_.empty()) return false;
  for (std::uint32_t rank = 0; rank < known_.size(); ++rank) {
    Purpose purpose = Purpose::link;
    if (dialled_[rank].conversation || wants_to_dial(rank, purpose)) return false;
  }
  return true;
}

// ---- who dials us ------------------------------------------------------------------------------

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
    if (*course != Course::met) {
      refusals_.add(from, stranger.fault.empty() ? "closed the connection" : stranger.fault);
    }
    stranger.conversation.reset();
  }
  std::erase_if(strangers_, [](const Acquaintance& one) { return one.conversation == nullptr; });
  return {};
}

// ---- hellos ------------------------------------------------------------------------------------

Expected<Meeting::Course> Meeting::hear(Acquaintance& acquaintance, std::uint32_t expected_rank) {
  Heard heard = acquaintance.conversation->hear();
  Expected<Course> course = Course::open;
  switch (heard.what) {
    case Heard::What::nothing:
      return Course::open;
    case Heard::What::closed:
      // What was said once explains more than that nobody is there any more.
      if (!heard.reason.empty()) acquaintance.fault = std::move(heard.reason);
      return Course::over;
    case Heard::What::refused:
      acquaintance.fault = std::move(heard.reason);
      return Course::alien;
    case Heard::What::mismatch:
      course = fail(ErrorCode::mismatch,
                    fmt::format("{} at {} {}",
                                expected_rank == kAnyRank ? "a process"
                                                          : named_member(options_, expected_rank),
                                acquaintance.conversation->peer(), heard.reason));
      break;
    case Heard::What::hello:
      course = consider(acquaintance, expected_rank, std::move(heard));
      break;
  }
  if (course) return course;
  // Whoever does not fit into a group that runs does not concern it; nor does who was found where
  // others sent us.
  const bool told = expected_rank != kAnyRank && !acquaintance.address.empty() &&
                    !book_->is_configured(expected_rank, acquaintance.address);
  if (stage_ != Stage::running && !told) return course;
  acquaintance.fault = course.error().message;
  return Course::alien;
}

Expected<Meeting::Course> Meeting::consider(Acquaintance& acquaintance, std::uint32_t expected_rank,
                                            Heard heard) {
  auto hello = decode(heard.packet);
  acquaintance.fault = "sent what is no hello";
  if (!hello) return Course::alien;
  if (is_alien(*hello, expected_rank)) {
    const bool me = hello->rank == options_.my_rank;
    acquaintance.fault = me ? "is this very member" : "is " + named_member(options_, hello->rank);
    // Who asks itself shall hear that, and look elsewhere.
    if (!acquaintance.said_hello && hello->purpose == Purpose::question) {
      auto said = say_hello(acquaintance, hello->rank, Purpose::question);
      if (!said) return std::unexpected(said.error());
    }
    return Course::alien;
  }
  if (auto checked = check_sender(*hello, options_, expected_rank); !checked) {
    return std::unexpected(checked.error());
  }
  acquaintance.is_peer = true;
  const bool dialled = expected_rank != kAnyRank;
  const bool link = makes_link(hello->purpose);
  acquaintance.fault = "said a hello of a member that is here already, or not all of it";
  const std::size_t expected =
      link && acquaintance.conversation->near() ? options_.descriptor_count : 0;
  if (heard.descriptors.size() != expected) return Course::over;
  if (!wants(*hello, acquaintance, dialled)) {
    if (dialled || hello->rank < options_.my_rank) acquaintance.fault.clear();
    return Course::over;
  }
  return answer(acquaintance, dialled, std::move(*hello), std::move(heard));
}

/// Somebody who is of the group, and found at an address that led astray: of a member that is
/// elsewhere by now, or of this one.
bool Meeting::is_alien(const Hello& hello, std::uint32_t expected_rank) const {
  if (book_ == nullptr || hello.version != kHelloVersion) return false;
  if (hello.rank == options_.my_rank) return hello.standing.incarnation == options_.incarnation;
  return expected_rank != kAnyRank && hello.rank != expected_rank && hello.rank < known_.size();
}

Expected<Meeting::Course> Meeting::answer(Acquaintance& acquaintance, bool dialled, Hello&& hello,
                                          Heard&& heard) {
  // Before an error may end us: the other side shall be able to name both values too.
  if (!acquaintance.said_hello) {
    auto said = say_hello(acquaintance, hello.rank, hello.purpose);
    if (!said) return std::unexpected(said.error());
    acquaintance.said_hello = *said;
  }
  if (makes_link(hello.purpose)) {
    auto examined = examine_(hello.rank, hello.introduction);
    if (!examined) return std::unexpected(examined.error());
  }
  if (auto agreed = check_terms(hello, options_); !agreed) return std::unexpected(agreed.error());
  acquaintance.fault = "ended while it was answered";
  if (!acquaintance.said_hello) return Course::over;
  // The socket's buffer was full: what is left must go out before the transport's first byte does.
  if (acquaintance.conversation->sending()) return Course::open;
  if (auto kept = keep(acquaintance, dialled, std::move(hello), std::move(heard)); !kept) {
    return std::unexpected(kept.error());
  }
  return Course::met;
}

bool Meeting::wants(const Hello& hello, const Acquaintance& acquaintance, bool dialled) const {
  const Known& peer = known_[hello.rank];
  // Who was dialled answers what it was told.
  if (dialled && hello.purpose != acquaintance.purpose) return false;
  const bool same = peer.incarnation == hello.standing.incarnation;
  switch (hello.purpose) {
    case Purpose::link:
      if (stage_ == Stage::running) return !dialled && (standing_.room & bit(hello.rank)) != 0;
      return !peer.link && (dialled || hello.rank > options_.my_rank);
    case Purpose::life_line:
      return options_.life_lines && peer.link && same && !peer.life_line;
    case Purpose::state:
      return stage_ == Stage::running && peer.link && same;
    case Purpose::mend:
      return stage_ == Stage::running && (broken_ & bit(hello.rank)) != 0 &&
             (dialled || hello.rank > options_.my_rank);
    case Purpose::question:
      return true;
  }
  return false;
}

Expected<void> Meeting::keep(Acquaintance& acquaintance, bool dialled, Hello&& hello,
                             Heard&& heard) {
  Known& peer = known_[hello.rank];
  const bool near = acquaintance.conversation->near();
  heed_words(acquaintance, hello);
  if (hello.purpose == Purpose::question) {
    if (!dialled) return {};  // it was answered: that is all
    heed(hello);
  }
  if (hello.purpose == Purpose::life_line) peer.life_line = true;
  if (makes_link(hello.purpose)) {
    peer = {.link = true,
            .life_line = near,
            .dialled = dialled,
            .incarnation = hello.standing.incarnation};
    if (stage_ == Stage::gathering && !is_founder(options_.my_rank)) stage_ = Stage::joining;
  }
  return keep_({.rank = hello.rank,
                .purpose = hello.purpose,
                .near = near,
                .host = acquaintance.conversation->host(),
                .socket = acquaintance.conversation->release(),
                .standing = hello.standing,
                .introduction = std::move(hello.introduction),
                .parameters = std::move(hello.parameters),
                .descriptors = std::move(heard.descriptors),
                .machine = hello.machine,
                .keys = acquaintance.conversation->take_keys()});
}

/// How somebody stands who was asked.
void Meeting::heed(const Hello& hello) {
  const bool runs = hello.standing.view != 0;
  // Whom this one has met may have founded the group with it, before it has met everybody itself.
  const bool with_me =
      known_[hello.rank].link && (hello.standing.links & bit(options_.my_rank)) != 0;
  if (runs && !with_me && stage_ == Stage::gathering) stage_ = Stage::joining;
  if (hello.standing.view > group_.view) group_ = hello.standing;
  known_[hello.rank].lets_in =
      runs ? (hello.standing.room & bit(options_.my_rank)) != 0 : hello.rank < options_.my_rank;
}

/// Where members listen. One that claims to be a member that this one has met is not believed
/// before that one is gone.
void Meeting::heed_words(const Acquaintance& acquaintance, const Hello& hello) {
  const Known& peer = known_[hello.rank];
  const bool same = peer.incarnation == hello.standing.incarnation;
  if (book_ == nullptr || (hello.purpose != Purpose::link && peer.link && !same)) return;
  book_->heed(hello.rank, acquaintance.conversation->host(), hello.words);
}

Expected<bool> Meeting::say_hello(Acquaintance& acquaintance, std::uint32_t rank, Purpose purpose) {
  Hello hello{.medium = options_.medium,
              .purpose = purpose,
              .rank = options_.my_rank,
              .region_bytes = options_.region_bytes,
              .standing = standing_,
              .machine = options_.machine};
  const bool tells = makes_link(purpose) || purpose == Purpose::question;
  if (tells && book_ != nullptr) hello.words = book_->words();
  // Who they are is said over the link only.
  if (!makes_link(purpose)) return acquaintance.conversation->say(encode(hello), {});
  auto offer = offer_for_(rank, acquaintance.conversation->near());
  if (!offer) return std::unexpected(offer.error());
  hello.introduction = options_.introduction;
  hello.parameters = std::move(offer->parameters);
  return acquaintance.conversation->say(encode(hello), offer->descriptors);
}

// ---- waiting -----------------------------------------------------------------------------------

void Meeting::wait(int descriptor, int most_ms) const {
  std::vector<pollfd> waited_on{{.fd = listener_.get(), .events = POLLIN, .revents = 0},
                                {.fd = descriptor, .events = POLLIN, .revents = 0}};
  const auto add = [&](const Acquaintance& one) {
    if (!one.conversation) return;
    const int events = one.conversation->sending() ? POLLIN | POLLOUT : POLLIN;
    waited_on.push_back(
        {.fd = one.conversation->descriptor(), .events = static_cast<short>(events), .revents = 0});
  };
  std::ranges::for_each(dialled_, add);
  std::ranges::for_each(strangers_, add);
  ::poll(waited_on.data(), waited_on.size(), most_ms);
}

bool Meeting::half_open(const Acquaintance& one) const {
  return clock_.now_ns() - one.since_ns > kHalfOpenNs;
}

bool Meeting::can_found() const {
  if (stage_ != Stage::gathering || !is_founder(options_.my_rank)) return false;
  const bool looked_around = clock_.now_ns() - began_ns_ > kLookAroundNs;
  for (std::uint32_t rank = 0; rank < known_.size(); ++rank) {
    if (rank == options_.my_rank || met(rank)) continue;
    if (is_founder(rank)) return false;
    if (!dialled_[rank].tried && !looked_around) return false;
  }
  return true;
}

std::vector<std::string> Meeting::notices() const {
  std::vector<std::string> lines = refusals_.notices();
  if (auto notice = place_.notice(); !notice.empty()) lines.insert(lines.begin(), notice);
  return lines;
}

/// Why those of `ranks` are not there, as far as is known.
std::string Meeting::reasons(std::uint64_t ranks) const {
  std::string text;
  std::string unknown;
  for (std::uint32_t rank = 0; rank < known_.size(); ++rank) {
    if ((ranks & bit(rank)) == 0) continue;
    const std::string& fault = dialled_[rank].fault;
    if (!fault.empty()) text += fmt::format("; {} {}", named_member(options_, rank), fault);
    if (knows_address(rank)) continue;
    unknown += fmt::format("{}'{}'", unknown.empty() ? "" : ", ", options_.members[rank]);
  }
  if (unknown.empty()) return text;
  return text + fmt::format(
                    "; nobody knew the address of {}: configure it in group.addresses of "
                    "one member at least",
                    unknown);
}

std::string Meeting::hindrance() const {
  if (stage_ == Stage::running) return {};
  std::uint64_t missing = group_.links & ~bit(options_.my_rank);
  for (std::uint32_t rank = 0; rank < known_.size(); ++rank) {
    if (met(rank)) missing &= ~bit(rank);
  }
  return reasons(missing);
}

Error Meeting::absent() const {
  std::string names;
  std::uint64_t missing = 0;
  for (std::uint32_t rank = 0; rank < known_.size(); ++rank) {
    if (rank == options_.my_rank || met(rank) || !is_founder(rank)) continue;
    names += (names.empty() ? "" : ", ") + named_member(options_, rank);
    missing |= bit(rank);
  }
  std::string why = reasons(missing);
  for (const std::string& line : refusals_.notices()) why += "; " + line;
  return {ErrorCode::member_absent,
          fmt::format("{} of group '{}' did not appear within {:.1f} s; start it, check that "
                      "group.name is the same everywhere, or raise group.join_timeout_ns{}",
                      names, options_.group, static_cast<double>(options_.timeout_ns) / 1e9, why)};
}

}  // namespace lockstep::transports
