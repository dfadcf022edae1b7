#include <gtest/gtest.h>

#include "tests/packet/packet_checks.hpp"

namespace lockstep::transports::packet {
namespace {

class PacketLinks : public testing::TestWithParam<PacketCheck> {};

TEST_P(PacketLinks, KeepTheirWord) {
  constexpr std::uint64_t kSeeds = 40;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    ASSERT_EQ(GetParam().run(seed), "") << "seed " << seed;
  }
}

INSTANTIATE_TEST_SUITE_P(Over, PacketLinks, testing::ValuesIn(packet_checks()),
                         [](const auto& check) { return check.param.name; });

}  // namespace
}  // namespace lockstep::transports::packet
