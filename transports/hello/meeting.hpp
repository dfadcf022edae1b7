#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "lockstep/error.hpp"
#include "runtime/clock.hpp"
#include "transports/hello/descriptor.hpp"
#include "transports/hello/hello_packet.hpp"
#include "transports/hello/meeting_place.hpp"
#include "transports/hello/refusals.hpp"

namespace lockstep::transports {

/// What a member says and expects when it meets others.
struct MeetingOptions {
  std::string group;
  std::vector<std::string> members;  ///< everybody who may ever be one; a rank is a place here
  std::uint32_t my_rank = 0;
  std::uint64_t founders = ~std::uint64_t{0};  ///< who must be there to found the group, a bit each
  Medium medium = Medium::shm;
  std::uint64_t region_bytes = 0;
  std::uint64_t timeout_ns = 0;
  std::uint64_t incarnation = 0;     ///< of this member
  Machine machine{};                 ///< of this member
  std::string introduction;          ///< at most kMaxIntroductionBytes
  std::size_t descriptor_count = 0;  ///< that come with every hello for a link, over near ones
  /// Each pair makes a second connection, see LifeLines; but none who met near.
  bool life_lines = false;
};

/// What goes to one peer beside the introduction.
struct Offer {
  std::string parameters;        ///< at most kMaxParametersBytes
  std::vector<int> descriptors;  ///< stay the caller's
};
/// Makes what a link to `rank` needs, anew each time. `near`: see Conversation.
using OfferFor = std::function<Expected<Offer>(std::uint32_t rank, bool near)>;

/// Looks at a peer's introduction before anything of it is used.
using Examine = std::function<Expected<void>(std::uint32_t rank, const std::string& introduction)>;

/// What one conversation with a peer came to.
struct MetPeer {
  std::uint32_t rank = 0;
  Purpose purpose = Purpose::link;
  bool near = false;  ///< see Conversation
  std::string host;   ///< where it is, see Conversation::host
  Descriptor socket;  ///< over which we met; its end tells that the peer is gone
  Standing standing;
  std::string introduction;
  std::string parameters;
  std::vector<Descriptor> descriptors;
  Machine machine{};
  std::unique_ptr<LinkKeys> keys{};  ///< of what comes of it; null: it is not to be sealed
};
using Keep = std::function<Expected<void>(MetPeer&& peer)>;

/// How the members of a group find one another and agree that they belong together, before the
/// group runs and while it does.
///
/// Each member listens at its own place. Both sides of a connection say hello at once: version,
/// medium, layout, who they are, how they stand, an introduction that is not interpreted here, and
/// what the medium needs to be told (region keys, descriptors). Who comes up is
///
///  - *gathering*: it asks everybody how they stand. Of two who gather, the higher rank then dials
///    the lower for a link. When all founders have met, they found the group. When a member of a
///    running group answers, it is
///  - *joining*: it dials all members that have room for it, and waits for them to take it in. Once
///    it is in a view, it is
///  - *running*: it lets in whoever its view leaves room for, and asks now and then at the
///    addresses of those that are not in it: one that has come back may know nobody's.
///
/// Where places have addresses (AddressBook), members tell one another in questions and links where
/// members listen. So it is enough that one of each two knows where to ask the other, or that both
/// know of a third: who was asked knows whom to dial. Who lacks an address asks those that it has
/// met again and again. At an address that others told, whoever is not the member that it should be
/// is counted and left alone, and cannot end a meeting.
///
/// Strangers that say nothing, or nonsense, are dropped and cost nothing but a descriptor for at
/// most 5 s; there are at most twice as many of them as members and 8, and the oldest makes room,
/// first among those that have not shown that they may be members. Where members have a key no
/// stranger can end a meeting.
///
/// One thread at a time; nothing but `gather` and `wait` blocks.
class Meeting {
 public:
  enum class Stage : std::uint8_t { gathering, joining, running };

  /// `place` must outlive this. `keep` takes what was met, and its error ends the meeting.
  Meeting(MeetingOptions options, MeetingPlace& place, OfferFor offer_for, Examine examine,
          Keep keep);
  /// Takes this member's place, which stays taken as long as this lives: that is what keeps another
  /// process from taking the same identity. Errors: identity_in_use, system.
  Expected<void> open();

  /// Until the group can be founded (`gathering` still) or a running one was found (`joining`).
  /// Blocks for at most timeout_ns. Errors: member_absent (with who was refused, and why), mismatch
  /// (both values named), system.
  Expected<void> gather();

  /// One look at everybody. Errors as `gather`; none while running, where whoever does not fit is
  /// refused.
  Expected<void> step();
  /// Waits until `step` has something to do, or `descriptor` (if not negative) is readable; at most
  /// `most_ms`.
  void wait(int descriptor, int most_ms) const;

  /// This member is in a view from now on, and stands so. `broken`: links to members that it would
  /// make anew, with the same incarnation (Purpose::mend), a bit each.
  void run(const Standing& standing, std::uint64_t broken = 0);
  /// The link to `rank` is no more: another one is welcome.
  void forget(std::uint32_t rank) noexcept;
  /// Dials `rank` for the state, to ask how it stands or to make a broken link anew; once, unless
  /// it is not there.
  void call(std::uint32_t rank, Purpose purpose);

  [[nodiscard]] Stage stage() const noexcept { return stage_; }
  /// Nobody is on the way, in or out: a look is worth nothing before somebody comes.
  [[nodiscard]] bool idle() const noexcept;
  [[nodiscard]] std::uint64_t refused() const noexcept { return refusals_.total(); }
  /// For people, of a member that joins: which members of the group it has not met, as far as it
  /// knows why; begins with "; ", or is empty.
  [[nodiscard]] std::string hindrance() const;
  /// For people: of the place, and of who was refused.
  [[nodiscard]] std::vector<std::string> notices() const;

 private:
  /// One connection on its way to being a peer.
  struct Acquaintance {
    std::unique_ptr<Conversation> conversation;
    std::uint64_t since_ns = 0;
    Purpose purpose = Purpose::link;  ///< of who was dialled
    bool said_hello = false;
    bool is_peer = false;             ///< said a hello of the member that it should be
    std::string address{};            ///< of who was dialled: where; empty: by its name
    std::string fault{};              ///< why it, or the last one to the same rank, came to nothing
    std::uint64_t dial_again_ns = 0;  ///< of who was dialled: not before
    bool tried = false;               ///< of who was dialled: it came to something, or to nothing
  };
  /// How a connection stands.
  enum class Course : std::uint8_t {
    open,   ///< more is to come
    met,    ///< given to `keep`
    over,   ///< of no use any more; `fault` may tell why
    alien,  ///< over as well: whoever it is, it is not a member, or not the one that was dialled
  };
  /// What this member has of a peer.
  struct Known {
    bool link = false;
    bool life_line = false;  ///< or needs none
    bool dialled = false;    ///< by this member: so it dials for the life line, too
    std::uint64_t incarnation = 0;
    bool lets_in = false;  ///< said so since the last attempt
  };

  [[nodiscard]] bool wants_to_dial(std::uint32_t rank, Purpose& purpose) const;
  Expected<void> dial(std::uint32_t rank);
  void seek_absent();
  Expected<bool> begin_dialling(std::uint32_t rank);
  void end_dialling(std::uint32_t rank, Course course, std::uint64_t attempt_ns);
  [[nodiscard]] bool gives_up(std::uint32_t rank, const Acquaintance& dialled) const;
  void welcome();
  void make_room();
  Expected<void> hear_strangers();
  Expected<Course> hear(Acquaintance& acquaintance, std::uint32_t expected_rank);
  Expected<Course> consider(Acquaintance& acquaintance, std::uint32_t expected_rank, Heard heard);
  Expected<Course> answer(Acquaintance& acquaintance, bool dialled, Hello&& hello, Heard&& heard);
  Expected<bool> say_hello(Acquaintance& acquaintance, std::uint32_t rank, Purpose purpose);
  void heed(const Hello& hello);
  void heed_words(const Acquaintance& acquaintance, const Hello& hello);
  [[nodiscard]] bool is_alien(const Hello& hello, std::uint32_t expected_rank) const;
  [[nodiscard]] bool wants(const Hello& hello, const Acquaintance& acquaintance,
                           bool dialled) const;
  Expected<void> keep(Acquaintance& acquaintance, bool dialled, Hello&& hello, Heard&& heard);
  [[nodiscard]] bool met(std::uint32_t rank) const {
    return known_[rank].link && (!options_.life_lines || known_[rank].life_line);
  }
  static constexpr std::uint64_t kHalfOpenNs = 5'000'000'000;
  /// How often a member of a group that runs asks those that are not in it.
  static constexpr std::uint64_t kSeekNs = 3'000'000'000;
  [[nodiscard]] bool half_open(const Acquaintance& one) const;
  [[nodiscard]] bool can_found() const;
  [[nodiscard]] bool is_founder(std::uint32_t rank) const {
    return (options_.founders >> rank & 1U) != 0;
  }
  [[nodiscard]] bool knows_address(std::uint32_t rank) const;
  [[nodiscard]] bool lacks_an_address() const;
  [[nodiscard]] std::string reasons(std::uint64_t ranks) const;
  [[nodiscard]] Error absent() const;

  const MeetingOptions options_;
  MeetingPlace& place_;
  AddressBook* const book_;  ///< of place_; null: places have names
  const OfferFor offer_for_;
  const Examine examine_;
  const Keep keep_;
  const runtime::TscClock clock_;
  Stage stage_ = Stage::gathering;
  Standing standing_;
  std::uint64_t broken_ = 0;
  Descriptor listener_;
  std::uint64_t began_ns_ = 0;
  std::uint64_t seek_due_ns_ = 0;
  Standing group_;                       ///< as the member in the latest view said
  std::vector<Known> known_;             ///< by rank
  std::vector<Acquaintance> dialled_;    ///< by rank
  std::vector<Acquaintance> strangers_;  ///< who dialled us, until they say who they are
  std::vector<Purpose> calls_;           ///< by rank; `link`: none
  Refusals refusals_;
};

}  // namespace lockstep::transports
