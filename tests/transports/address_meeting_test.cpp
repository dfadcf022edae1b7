#include <gmock/gmock.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "runtime/clock.hpp"
#include "tests/transports/meeting_by_tcp.hpp"
#include "tests/transports/test_key.hpp"

// Members that do not know where all the others listen.

namespace lockstep::transports {
namespace {

using testing::HasSubstr;

/// Whose addresses each member knows beside its own.
struct Shape {
  const char* name;
  std::vector<std::vector<std::uint32_t>> known;
};

class AddressMeeting : public MeetingByTcp {
 protected:
  static constexpr std::uint64_t kRunning = 0b11;  ///< the founders of a group that runs

  AddressMeeting() { addresses_ = launch::local_addresses("tcp", 6, {"127.0.0.1"}).value(); }

  /// One member's side. `met` counts the links to each other member.
  struct Side {
    std::unique_ptr<TcpPlace> place;
    std::unique_ptr<Meeting> meeting;
    std::vector<int> links;
    std::vector<MetPeer> met;
    Expected<void> stepped;

    [[nodiscard]] AddressBook& book() const { return *place->addresses(); }
    [[nodiscard]] bool has(std::uint64_t ranks) const {
      for (std::uint32_t rank = 0; rank < links.size(); ++rank) {
        if ((ranks >> rank & 1U) != 0 && links[rank] == 0) return false;
      }
      return true;
    }
  };

  struct Chosen {
    std::uint32_t rank = 0;
    std::vector<std::string> addresses;
    std::uint64_t incarnation = 0;  ///< 0: rank + 1
    std::uint64_t founders = ~std::uint64_t{0};
    bool with_key = true;
    std::uint64_t timeout_ns = 10 * kSecond;
  };

  std::unique_ptr<Side> side(const Chosen& chosen) const {
    auto made = std::make_unique<Side>();
    const auto members = static_cast<std::uint32_t>(chosen.addresses.size());
    MeetingOptions mine = options(chosen.rank, members);
    mine.founders = chosen.founders;
    mine.incarnation = chosen.incarnation == 0 ? chosen.rank + 1 : chosen.incarnation;
    mine.timeout_ns = chosen.timeout_ns;
    made->place =
        std::make_unique<TcpPlace>(*TcpPlace::make({.group = "hello",
                                                    .addresses = chosen.addresses,
                                                    .my_rank = chosen.rank,
                                                    .version = mine.incarnation,
                                                    .key = chosen.with_key ? &key_ : nullptr}));
    made->links.resize(members);
    made->meeting = std::make_unique<Meeting>(
        mine, *made->place, [](std::uint32_t, bool) { return Offer{}; },
        [](std::uint32_t, const std::string&) -> Expected<void> { return {}; },
        [&one = *made](MetPeer&& peer) -> Expected<void> {
          if (peer.purpose == Purpose::link) ++one.links[peer.rank];
          one.met.push_back(std::move(peer));
          return {};
        });
    const auto opened = made->meeting->open();
    EXPECT_TRUE(opened) << opened.error().message;
    return made;
  }

  /// The addresses that `rank` is configured with if it knows those of `known` beside its own.
  std::vector<std::string> knowing(std::uint32_t rank, const std::vector<std::uint32_t>& known,
                                   std::uint32_t members = 3) const {
    std::vector<std::string> addresses(members);
    addresses[rank] = addresses_[rank];
    for (const std::uint32_t other : known) addresses[other] = addresses_[other];
    return addresses;
  }

  /// Turns all of `sides` until `done`, for ten seconds at most.
  static bool step_until(const std::vector<Side*>& sides, const std::function<bool()>& done) {
    const runtime::TscClock clock;
    const std::uint64_t deadline_ns = clock.now_ns() + 10 * kSecond;
    while (!done()) {
      if (clock.now_ns() > deadline_ns) return false;
      for (Side* const one : sides) {
        one->stepped = one->meeting->step();
        EXPECT_TRUE(one->stepped) << one->stepped.error().message;
        if (!one->stepped) return false;
        one->meeting->wait(-1, 1);
      }
    }
    return true;
  }
  static void turn(const std::vector<Side*>& sides, int times) {
    step_until(sides, [&] { return times-- == 0; });
  }

  /// All of `sides`, which are by rank and all there are, meet: with one link for each two.
  static void expect_all_meet(const std::vector<std::unique_ptr<Side>>& sides) {
    std::vector<Side*> all;
    for (const auto& one : sides) all.push_back(one.get());
    const auto complete = [&] {
      return std::ranges::all_of(all, [&](const Side* one) {
        const auto mine = static_cast<std::uint64_t>(std::ranges::find(all, one) - all.begin());
        return one->has(((std::uint64_t{1} << all.size()) - 1) & ~(std::uint64_t{1} << mine));
      });
    };
    EXPECT_TRUE(step_until(all, complete));
    turn(all, 100);
    for (std::size_t rank = 0; rank < all.size(); ++rank) {
      for (std::size_t other = 0; other < all.size(); ++other) {
        EXPECT_EQ(all[rank]->links[other], rank == other ? 0 : 1) << rank << " with " << other;
      }
    }
  }

  /// Ranks 0 and 1 of three are in a view that has room for rank 2, and know of it what `third`
  /// says.
  std::vector<std::unique_ptr<Side>> running(const std::string& third = "") const {
    std::vector<std::unique_ptr<Side>> sides;
    for (std::uint32_t rank = 0; rank < 2; ++rank) {
      std::vector<std::string> addresses = knowing(rank, {0, 1});
      addresses[2] = third;
      sides.push_back(side({.rank = rank, .addresses = addresses, .founders = kRunning}));
    }
    EXPECT_TRUE(step_until({sides[0].get(), sides[1].get()},
                           [&] { return sides[0]->has(0b10) && sides[1]->has(0b01); }));
    for (const auto& one : sides) one->meeting->run({.view = 1, .links = kRunning, .room = 0b100});
    return sides;
  }

  /// Takes connections, and says nothing.
  static Descriptor silent_listener(const std::string& address) {
    const auto endpoint = runtime::parse_endpoint(address);
    Descriptor socket(::socket(endpoint->family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::bind(socket.get(), endpoint->generic(), endpoint->length), 0);
    EXPECT_EQ(::listen(socket.get(), 16), 0);
    return socket;
  }

  const GroupKey key_ = test_key();
};

// ---- founding -----------------------------------------------------------------------------------

struct Founding {
  Shape shape;
  bool with_key;
};

class AddressFounding : public AddressMeeting, public testing::WithParamInterface<Founding> {};

TEST_P(AddressFounding, MeetsEverybodyOnce) {
  const auto& [shape, with_key] = GetParam();
  const auto members = static_cast<std::uint32_t>(shape.known.size());
  std::vector<std::unique_ptr<Side>> sides;
  for (std::uint32_t rank = 0; rank < members; ++rank) {
    sides.push_back(side({.rank = rank,
                          .addresses = knowing(rank, shape.known[rank], members),
                          .with_key = with_key}));
  }
  expect_all_meet(sides);
  for (const auto& one : sides) EXPECT_EQ(one->meeting->refused(), 0U);
}

std::vector<Founding> foundings() {
  const std::vector<Shape> shapes = {
      {"AllKnowTheFirst", {{}, {0}, {0}, {0}}},
      {"AllKnowTheLast", {{3}, {3}, {3}, {}}},
      {"TheFirstKnowsAll", {{1, 2, 3}, {}, {}, {}}},
      {"TheLastKnowsAll", {{}, {}, {}, {0, 1, 2}}},
      {"EachKnowsTheNext", {{1}, {2}, {3}, {0}}},
      {"ChainUpwards", {{1}, {2}, {3}, {}}},
      {"ChainDownwards", {{}, {0}, {1}, {2}}},
      {"ChainOfFiveFromBothEnds", {{1}, {2}, {}, {2}, {3}}},
      {"TwoPairsAndABridge", {{1}, {}, {3}, {1}}},
      {"OnlyOneOfTwo", {{1}, {}}},
      {"OnlyTheOtherOfTwo", {{}, {0}}},
  };
  std::vector<Founding> all;
  for (const Shape& shape : shapes) {
    for (const bool with_key : {true, false}) all.push_back({shape, with_key});
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(Shapes, AddressFounding, testing::ValuesIn(foundings()),
                         [](const auto& tested) {
                           return std::string(tested.param.shape.name) +
                                  (tested.param.with_key ? "WithKey" : "InTheClear");
                         });

// Whoever comes later finds those that met before.
TEST_F(AddressMeeting, MembersMayComeOneAfterTheOther) {
  std::vector<std::unique_ptr<Side>> sides;
  const std::vector<std::vector<std::uint32_t>> known = {{1}, {2}, {3}, {}};
  std::vector<Side*> there;
  for (std::uint32_t rank = 0; rank < 4; ++rank) {
    sides.push_back(side({.rank = rank, .addresses = knowing(rank, known[rank], 4)}));
    there.push_back(sides.back().get());
    turn(there, 100);
  }
  expect_all_meet(sides);
}

TEST_F(AddressMeeting, WhoseAddressNobodyKnewIsNamed) {
  const auto alone = side({.rank = 0, .addresses = knowing(0, {1}), .timeout_ns = kSecond / 5});
  const auto gathered = alone->meeting->gather();
  ASSERT_FALSE(gathered);
  EXPECT_EQ(gathered.error().code, ErrorCode::member_absent);
  EXPECT_THAT(gathered.error().message,
              HasSubstr("; nobody knew the address of 'm2': configure it in group.addresses of one "
                        "member at least"));
}

TEST_F(AddressMeeting, WhoListensAtAllAddressesOfItsHostIsDialledWhereItWasSeen) {
  const std::string port = addresses_[0].substr(addresses_[0].find(':'));
  std::vector<std::unique_ptr<Side>> sides;
  sides.push_back(side({.rank = 0, .addresses = {"0.0.0.0" + port, addresses_[1], ""}}));
  for (std::uint32_t rank = 1; rank < 3; ++rank) {
    sides.push_back(
        side({.rank = rank, .addresses = knowing(rank, std::vector<std::uint32_t>{3 - rank})}));
  }
  expect_all_meet(sides);
  EXPECT_EQ(sides[2]->book().address(0), addresses_[0]);
}

// Two members that changed their places: at both configured addresses is somebody else.
TEST_F(AddressMeeting, MembersThatChangedPlacesAreFound) {
  for (const bool with_key : {true, false}) {
    std::vector<std::unique_ptr<Side>> sides;
    const std::vector<std::string> stale = {addresses_[0], addresses_[2], addresses_[1]};
    sides.push_back(side({.rank = 0, .addresses = stale, .with_key = with_key}));
    for (std::uint32_t rank = 1; rank < 3; ++rank) {
      sides.push_back(side({.rank = rank, .addresses = knowing(rank, {0}), .with_key = with_key}));
    }
    expect_all_meet(sides);
  }
}

// Whoever has the higher rank dials for the link: it must get over an address of old.
TEST_F(AddressMeeting, WhereNobodyAnswersAnotherAddressIsTried) {
  const Descriptor silence = silent_listener(addresses_[4]);
  for (const bool with_key : {true, false}) {
    std::vector<std::unique_ptr<Side>> sides;
    for (std::uint32_t rank = 0; rank < 2; ++rank) {
      sides.push_back(
          side({.rank = rank, .addresses = knowing(rank, {1 - rank}), .with_key = with_key}));
    }
    std::vector<std::string> stale = knowing(2, {1});
    stale[0] = addresses_[4];
    sides.push_back(side({.rank = 2, .addresses = stale, .with_key = with_key}));
    expect_all_meet(sides);
    EXPECT_EQ(sides[2]->book().address(0), addresses_[0]);
  }
}

// ---- joining ------------------------------------------------------------------------------------

TEST_F(AddressMeeting, OneAddressIsEnoughToJoinWhoeverHasIt) {
  for (const std::uint32_t known : {0U, 1U}) {
    const auto group = running();
    const auto joiner = side({.rank = 2, .addresses = knowing(2, {known}), .founders = kRunning});
    EXPECT_TRUE(step_until({group[0].get(), group[1].get(), joiner.get()},
                           [&] { return joiner->has(kRunning); }));
    EXPECT_EQ(joiner->meeting->stage(), Meeting::Stage::joining);
    EXPECT_EQ(joiner->meeting->hindrance(), "");
  }
}

// As the one whose address all the others were configured with, when it comes back.
TEST_F(AddressMeeting, WhoKnowsNobodyIsFoundByTheGroup) {
  const auto group = running(addresses_[2]);
  const auto joiner = side({.rank = 2, .addresses = knowing(2, {}), .founders = kRunning});
  EXPECT_TRUE(step_until({group[0].get(), group[1].get(), joiner.get()},
                         [&] { return joiner->has(kRunning); }));
  EXPECT_EQ(joiner->links, (std::vector<int>{1, 1, 0}));
}

TEST_F(AddressMeeting, AJoinerSaysWhomItCouldNotFind) {
  auto group = running();
  const auto alone = side(
      {.rank = 0, .addresses = {addresses_[3], "", ""}, .incarnation = 77, .founders = kRunning});
  alone->meeting->run({.view = 4, .links = kRunning, .room = 0b100});
  const auto joiner =
      side({.rank = 2, .addresses = {addresses_[3], "", addresses_[2]}, .founders = kRunning});
  EXPECT_TRUE(step_until({alone.get(), joiner.get()}, [&] { return joiner->has(0b01); }));
  EXPECT_THAT(joiner->meeting->hindrance(), HasSubstr("nobody knew the address of 'm1'"));
}

TEST_F(AddressMeeting, AMemberThatComesBackElsewhereIsFoundThere) {
  const auto group = running(addresses_[2]);
  for (const bool moved : {false, true}) {
    std::vector<std::string> addresses = knowing(2, {1});
    if (moved) addresses[2] = addresses_[3];
    const auto third = side({.rank = 2,
                             .addresses = addresses,
                             .incarnation = moved ? 5U : 50U,  // its clock was set back
                             .founders = kRunning});
    ASSERT_TRUE(step_until({group[0].get(), group[1].get(), third.get()},
                           [&] { return third->has(kRunning); }));
    third->meeting->run({.view = 2, .links = 0b111, .room = 0});
    for (const auto& one : group) {
      one->met.clear();
      one->meeting->call(2, Purpose::question);
      const bool answered = step_until({group[0].get(), group[1].get(), third.get()}, [&] {
        return std::ranges::any_of(one->met, [](const MetPeer& peer) {
          return peer.purpose == Purpose::question && peer.rank == 2;
        });
      });
      EXPECT_TRUE(answered);
      EXPECT_EQ(one->book().address(2), addresses[2]);
      one->meeting->forget(2);
    }
  }
}

// ---- lies ---------------------------------------------------------------------------------------

/// What is at the address that rank 1 says is that of rank 2.
enum class AtTheLie { the_liar, who_was_told, another_group, nobody, silence };

class AddressLie : public AddressMeeting, public testing::WithParamInterface<AtTheLie> {
 protected:
  std::string lie() {
    switch (GetParam()) {
      case AtTheLie::the_liar:
        return addresses_[1];
      case AtTheLie::who_was_told:
        return addresses_[0];
      case AtTheLie::another_group:
        another_ = side({.rank = 2, .addresses = {"", "", addresses_[4]}, .with_key = false});
        return addresses_[4];
      case AtTheLie::nobody:
        break;
      case AtTheLie::silence:
        silent_ = silent_listener(addresses_[4]);
        break;
    }
    return addresses_[4];
  }

  static bool has_told_of_the_lie(const Side& told) {
    return std::ranges::any_of(told.meeting->notices(), [](const std::string& line) {
      return line.contains("was said to be member 'm2' (rank 2)");
    });
  }

  std::unique_ptr<Side> another_;  ///< has no key
  Descriptor silent_;
};

TEST_P(AddressLie, IsCountedAndHindersNobody) {
  const std::string said = lie();
  for (const bool with_key : {true, false}) {
    if (!with_key && GetParam() == AtTheLie::another_group) continue;  // then it is one of this
    std::vector<std::unique_ptr<Side>> sides;
    for (std::uint32_t rank = 0; rank < 2; ++rank) {
      sides.push_back(
          side({.rank = rank, .addresses = knowing(rank, {1 - rank}), .with_key = with_key}));
    }
    Side& told = *sides[0];
    const auto tell = [&] {
      const std::vector<AddressWord> words = {{.rank = 2, .version = 1'000, .address = said}};
      sides[1]->book().heed(2, "127.0.0.1", words);
    };
    tell();
    const bool answers = GetParam() != AtTheLie::nobody && GetParam() != AtTheLie::silence;
    EXPECT_TRUE(step_until({sides[0].get(), sides[1].get()}, [&] {
      tell();
      if (another_) another_->stepped = another_->meeting->step();
      return answers ? has_told_of_the_lie(told) : told.book().address(2) == said;
    }));
    EXPECT_EQ(told.links[2], 0);
    sides.push_back(side({.rank = 2, .addresses = knowing(2, {1}), .with_key = with_key}));
    expect_all_meet(sides);
    EXPECT_EQ(told.book().address(2), addresses_[2]);
    EXPECT_EQ(told.meeting->refused() > 0, answers);
  }
}

INSTANTIATE_TEST_SUITE_P(At, AddressLie,
                         testing::Values(AtTheLie::the_liar, AtTheLie::who_was_told,
                                         AtTheLie::another_group, AtTheLie::nobody,
                                         AtTheLie::silence));

// Somebody who claims to be a member that is here: its words do not lead anybody to it.
TEST_F(AddressMeeting, AMemberThatIsHereIsNotMovedByWhoClaimsToBeIt) {
  const auto group = running();
  const auto claimant = side({.rank = 1,
                              .addresses = {addresses_[0], addresses_[4], ""},
                              .incarnation = 99,
                              .founders = kRunning});
  turn({group[0].get(), group[1].get(), claimant.get()}, 200);
  EXPECT_EQ(claimant->meeting->stage(), Meeting::Stage::joining);
  EXPECT_EQ(group[0]->book().address(1), addresses_[1]);
  EXPECT_EQ(group[0]->links[1], 1);
}

}  // namespace
}  // namespace lockstep::transports
