#include <gtest/gtest.h>

#include <limits>

#include "transports/sim/random.hpp"
#include "transports/verbs/parameters.hpp"

namespace lockstep::transports {
namespace {

VerbsParameters typical() {
  return {.queue_pair = 0x11,
          .packet_number = 0xabcdef,
          .gid = gid_of_address("10.77.0.1").value(),
          .path_mtu = 3,
          .region_bytes = 1 << 20,
          .region_address = 0x7f00'dead'b000,
          .region_key = 0x1234};
}

TEST(VerbsParameters, AreReadAsTheyWereWritten) {
  VerbsParameters parameters = typical();
  EXPECT_EQ(decode(encode(parameters)).value(), parameters);
  parameters.queue_pair = parameters.packet_number = 0xff'ffff;
  parameters.ethernet = false;
  parameters.keeps_order = true;
  parameters.lid = 0xbfff;
  parameters.gid.fill(0xff);
  parameters.path_mtu = 5;
  parameters.region_bytes = parameters.region_address = std::numeric_limits<std::uint64_t>::max();
  parameters.region_key = std::numeric_limits<std::uint32_t>::max();
  const std::string longest = encode(parameters);
  EXPECT_LE(longest.size(), kMostParameterBytes);
  EXPECT_EQ(decode(longest).value(), parameters);
}

TEST(VerbsParameters, OfAnotherVersionAreRefusedWithBothNamed) {
  std::string text = encode(typical());
  text.replace(text.find("/1"), 2, "/2");
  const auto decoded = decode(text);
  ASSERT_FALSE(decoded);
  EXPECT_EQ(decoded.error().code, ErrorCode::mismatch);
  EXPECT_NE(decoded.error().message.find("lockstep-verbs/2"), std::string::npos);
  EXPECT_NE(decoded.error().message.find("lockstep-verbs/1"), std::string::npos);
}

TEST(VerbsParameters, OutOfRangeAreRefusedWithTheFieldNamed) {
  const auto refused = [](const std::string& from, const std::string& to, const char* field) {
    std::string text = encode(typical());
    text.replace(text.find(from), from.size(), to);
    const auto decoded = decode(text);
    ASSERT_FALSE(decoded) << text;
    EXPECT_NE(decoded.error().message.find(field), std::string::npos) << decoded.error().message;
  };
  refused("qp=11", "qp=1000000", "qp");
  refused("qp=11", "qp=", "qp");
  refused("qp=11", "qp=-1", "qp");
  refused("qp=11", "qp=11x", "qp");
  refused("psn=", "qsn=", "psn");
  refused("lid=0", "lid=c000", "lid");
  refused("mtu=3", "mtu=0", "mtu");
  refused("mtu=3", "mtu=6", "mtu");
  refused("ethernet=1", "ethernet=2", "ethernet");
  refused("gid=00", "gid=0", "gid");
  refused("gid=00", "gid=0g", "gid");
  refused("key=1234", "key=100000000", "key");
  refused("key=1234", "key=1234 more=1", "the end of the line");
}

TEST(VerbsParameters, SurviveWhateverArrives) {
  EXPECT_FALSE(decode(""));
  EXPECT_FALSE(decode("lockstep-verbs/1"));
  EXPECT_FALSE(decode(std::string(kMostParameterBytes + 1, 'a')));
  EXPECT_FALSE(decode(std::string(kMostParameterBytes, ' ')));
  const std::string good = encode(typical());
  for (std::size_t size = 0; size < good.size(); ++size) {
    const auto cut = decode(std::string_view(good).substr(0, size));
    // Only the last field may lose digits and still be a number.
    if (size < good.find("key=") + 5) {
      EXPECT_FALSE(cut) << size;
    }
  }
  Random random(3);
  for (int round = 0; round < 20'000; ++round) {
    std::string bad = good;
    for (std::uint64_t i = random.between(1, 4); i > 0; --i) {
      bad[random.below(bad.size())] = static_cast<char>(random.below(256));
    }
    const auto decoded = decode(bad);
    if (decoded) {
      EXPECT_LE(decoded->path_mtu, 5);
      EXPECT_LE(decoded->queue_pair, 0xff'ffffU);
    } else {
      for (const char c : decoded.error().message) EXPECT_NE(c, '\x1b');
    }
  }
}

ibv_gid_entry entry(std::uint32_t index, const char* address, std::uint32_t type) {
  ibv_gid_entry entry{};
  const Gid gid = gid_of_address(address).value();
  std::copy(gid.begin(), gid.end(), entry.gid.raw);
  entry.gid_index = index;
  entry.gid_type = type;
  return entry;
}

TEST(GidChoice, TakesTheRoceV2EntryOfTheAddress) {
  const std::vector table{
      entry(0, "fe80::1", IBV_GID_TYPE_ROCE_V1), entry(1, "fe80::1", IBV_GID_TYPE_ROCE_V2),
      entry(2, "10.77.0.1", IBV_GID_TYPE_ROCE_V1), entry(3, "10.77.0.1", IBV_GID_TYPE_ROCE_V2),
      entry(4, "2001:db8::7", IBV_GID_TYPE_ROCE_V2)};
  const auto index = [&](int wanted_index, const char* address) {
    std::optional<Gid> gid;
    if (address != nullptr) gid = gid_of_address(address).value();
    return choose_gid(table, wanted_index, gid, "rxe1").value().gid_index;
  };
  EXPECT_EQ(index(-1, "10.77.0.1"), 3U);
  EXPECT_EQ(index(-1, "2001:db8::7"), 4U);
  EXPECT_EQ(index(-1, "fe80::1"), 1U);
  EXPECT_EQ(index(-1, nullptr), 3U) << "routable before link-local";
  EXPECT_EQ(index(4, "10.77.0.1"), 4U) << "overridden";
}

TEST(GidChoice, RefusesWhatIsNotThereAndSaysWhatIs) {
  const std::vector table{entry(0, "fe80::1", IBV_GID_TYPE_ROCE_V1),
                          entry(1, "10.77.0.1", IBV_GID_TYPE_ROCE_V2)};
  for (const int index : {0, 2, 1'000}) {
    const auto choice = choose_gid(table, index, std::nullopt, "rxe1");
    ASSERT_FALSE(choice);
    EXPECT_NE(choice.error().message.find("1 is 10.77.0.1 (RoCE v2)"), std::string::npos)
        << choice.error().message;
  }
  EXPECT_FALSE(choose_gid(table, -1, gid_of_address("10.77.0.2").value(), "rxe1"));
  EXPECT_FALSE(choose_gid({}, -1, std::nullopt, "rxe1"));
  EXPECT_FALSE(gid_of_address("a-host-name"));
}

}  // namespace
}  // namespace lockstep::transports
