#include <gtest/gtest.h>

#include "tests/packet/packet_checks.hpp"
#include "transports/packet/mutant.hpp"

namespace lockstep::transports::packet {
namespace {

class PacketMutants : public testing::TestWithParam<MutantSentence> {};

std::string caught_by() {
  constexpr std::uint64_t kSeeds = 10;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    for (const PacketCheck& check : packet_checks()) {
      if (const auto wrong = check.run(seed); !wrong.empty()) return check.name + ": " + wrong;
    }
  }
  return {};
}

TEST_P(PacketMutants, IsCaught) {
  active_mutant = GetParam().mutant;
  const std::string wrong = caught_by();
  active_mutant = Mutant::none;
  EXPECT_NE(wrong, "") << "not caught, though it breaks: " << GetParam().sentence;
  RecordProperty("caught_by", wrong);
}

TEST(PacketMutants, WithoutOneNothingIsCaught) { EXPECT_EQ(caught_by(), ""); }

INSTANTIATE_TEST_SUITE_P(Of, PacketMutants, testing::ValuesIn(kMutants), [](const auto& mutant) {
  std::string name;
  bool upper = true;
  for (const char letter : mutant.param.name) {
    if (letter != '-') name += upper ? static_cast<char>(letter - 'a' + 'A') : letter;
    upper = letter == '-';
  }
  return name;
});

}  // namespace
}  // namespace lockstep::transports::packet
