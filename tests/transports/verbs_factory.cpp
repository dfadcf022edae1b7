#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <utility>

#include "tests/transports/conformance.hpp"
#include "tests/transports/verbs_group.hpp"

namespace lockstep::transports::conformance {
namespace {

class NetworkOfVerbs final : public Network {
 public:
  static std::unique_ptr<Network> connect(const Wanted& wanted) {
    auto group = VerbsGroup::connect(wanted.members, wanted.region_bytes, wanted.source_bytes);
    if (group) return std::make_unique<NetworkOfVerbs>(std::move(*group));
    fmt::print(stderr, "{}\n", group.error().message);
    return nullptr;
  }

  explicit NetworkOfVerbs(VerbsGroup group) : group_(std::move(group)) {}

  Transport& endpoint(std::uint32_t rank) override { return group_.endpoint(rank); }
  bool run(std::vector<Party> parties) override { return run_in_threads(std::move(parties)); }
  void pump() override {}

  bool doorbell_rang(std::uint32_t rank) override {
    std::array<pollfd, 8> bells{};
    const auto descriptors = group_.endpoint(rank).descriptors();
    const std::size_t count = std::min(descriptors.size(), bells.size());
    for (std::size_t i = 0; i < count; ++i) bells[i] = {descriptors[i], POLLIN, 0};
    return ::poll(bells.data(), count, 0) > 0;
  }

  void end_member(std::uint32_t rank) override { group_.end(rank); }

 private:
  VerbsGroup group_;
};

const Implementation kVerbs{
    .name = "verbs", .connect = NetworkOfVerbs::connect, .missing = VerbsGroup::missing};

INSTANTIATE_TEST_SUITE_P(verbs, Conformance, testing::Values(kVerbs, behind_faults(kVerbs)),
                         name_of);

}  // namespace
}  // namespace lockstep::transports::conformance
