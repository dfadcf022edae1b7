#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "tests/transports/conformance.hpp"
#include "transports/sim/random.hpp"

namespace lockstep::transports::conformance {
namespace {

using Words = std::vector<std::uint64_t>;

constexpr std::uint32_t kMembers = 3;
constexpr std::uint64_t kRegionWords = 256;
/// The last word of copy 0 counts the rounds of the test.
constexpr std::uint64_t kRoundOffset = (kRegionWords - 1) * 8;

/// LOCKSTEP_CONFORMANCE_WRITES, or enough for a quick run.
std::uint64_t model_writes() {
  const char* count = std::getenv("LOCKSTEP_CONFORMANCE_WRITES");
  return count == nullptr ? 100'000 : std::strtoull(count, nullptr, 10);
}

/// Sources that one link may have in use, each as long as the longest write.
constexpr std::uint64_t kSources = 128;

/// What one member writes to one peer, and what the peer's memory must become.
class ModelledLink {
 public:
  /// `sources`: kSources × kRegionWords words of the member's source memory.
  ModelledLink(Transport& transport, LinkId link, std::span<std::uint64_t> sources,
               std::uint64_t seed)
      : transport_(transport), link_(link), sources_(sources), random_(seed) {
    for (Words& copy : expected_) copy.resize(kRegionWords);
  }

  /// Posts one random write if there is room for it; says whether it did.
  bool write() {
    if (next_mark_ - transport_.completed(link_) > kSources) return false;
    const std::uint64_t copy = random_.below(kRegionCopies);
    const std::uint64_t longest = random_.chance(100) ? kRegionWords - 1 : 24;
    const std::uint64_t count = random_.below(longest + 1);
    const auto words = sources_.subspan(next_mark_ % kSources * kRegionWords, count);
    std::ranges::generate(words, [this] { return random_.next(); });
    const std::uint64_t first = random_.below(kRegionWords - count);
    const Post post = transport_.write(link_, static_cast<std::uint32_t>(copy), first * 8,
                                       std::as_bytes(words), next_mark_);
    EXPECT_NE(post, Post::down);
    if (random_.chance(300)) transport_.flush(link_);
    if (post != Post::posted) return false;
    std::ranges::copy(words, expected_[copy].begin() + static_cast<std::ptrdiff_t>(first));
    ++next_mark_;
    return true;
  }

  /// Posts the end of a round. True if the queue took it.
  bool end_round(std::uint64_t round) {
    const Words value{round};
    const Post post =
        transport_.write(link_, 0, kRoundOffset, std::as_bytes(std::span(value)), next_mark_);
    transport_.flush(link_);
    if (post != Post::posted) return false;
    ++next_mark_;
    expected_[0].back() = round;
    return true;
  }

  [[nodiscard]] const Words& expected(std::uint32_t copy) const { return expected_[copy]; }

 private:
  Transport& transport_;
  const LinkId link_;
  const std::span<std::uint64_t> sources_;
  Random random_;
  std::array<Words, kRegionCopies> expected_;
  std::uint64_t next_mark_ = 1;
};

TEST_P(Conformance, RandomWritesLeaveWhatTheModelSays) {
  constexpr std::uint64_t kLinks = kMembers * (kMembers - 1);
  constexpr std::uint64_t kWritesPerRound = 200;
  connect({.members = kMembers, .region_bytes = kRegionWords * 8, .seed = 42});
  std::vector<ModelledLink> links;
  std::vector<std::pair<std::uint32_t, LinkId>> ends;
  for (std::uint32_t from = 0; from < kMembers; ++from) {
    for (LinkId to = 0; to < kMembers; ++to) {
      if (from == to) continue;
      const std::size_t words = kSources * kRegionWords;
      links.emplace_back(endpoint(from), to, source(from, to * words, words), from * kMembers + to);
      ends.emplace_back(from, to);
    }
  }
  const std::uint64_t rounds =
      std::max(model_writes() / (kWritesPerRound * kLinks), std::uint64_t{1});
  for (std::uint64_t round = 1; round <= rounds; ++round) {
    std::vector<std::uint64_t> posted(kLinks);
    const auto all_posted = [&] {
      bool all = true;
      for (std::size_t i = 0; i < kLinks; ++i) {
        // As many as the queue takes, then let the others have their turn.
        while (posted[i] < kWritesPerRound && links[i].write()) ++posted[i];
        if (posted[i] == kWritesPerRound && links[i].end_round(round)) ++posted[i];
        all = all && posted[i] > kWritesPerRound;
      }
      return all;
    };
    ASSERT_TRUE(settle(all_posted));
    ASSERT_TRUE(settle([&] {
      return std::ranges::all_of(ends, [&](const auto& end) {
        return word(end.second, end.first, kRoundOffset) == round;
      });
    }));
    for (std::size_t i = 0; i < kLinks; ++i) {
      for (std::uint32_t copy = 0; copy < kRegionCopies; ++copy) {
        const auto region = endpoint(ends[i].second).inbound(ends[i].first, copy);
        ASSERT_EQ(std::memcmp(region.data(), links[i].expected(copy).data(), region.size()), 0)
            << "round " << round << ", copy " << copy << " of the link from " << ends[i].first
            << " to " << ends[i].second;
      }
    }
  }
}

}  // namespace
}  // namespace lockstep::transports::conformance
