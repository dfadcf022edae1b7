#include <algorithm>
#include <utility>

#include "tests/transports/conformance.hpp"
#include "transports/sim/sim_network.hpp"

namespace lockstep::transports::conformance {
namespace {

constexpr std::uint64_t kStepLimit = 20'000'000;

SimOptions options(const Wanted& wanted, WriteOrder order) {
  SimOptions result;
  result.members = wanted.members;
  result.region_bytes = wanted.region_bytes;
  result.source_bytes = wanted.source_bytes;
  result.write_order = order;
  return result;
}

class NetworkOfSim final : public Network {
 public:
  NetworkOfSim(const Wanted& wanted, WriteOrder order)
      : random_(wanted.seed), network_(random_.next(), options(wanted, order), clock_) {}

  Transport& endpoint(std::uint32_t rank) override { return network_.endpoint(rank); }

  bool run(std::vector<Party> parties) override {
    std::vector<bool> done(parties.size());
    for (std::uint64_t step = 0; step < kStepLimit; ++step) {
      const std::size_t chosen = random_.below(parties.size());
      done[chosen] = parties[chosen]();
      if (std::ranges::all_of(done, [](bool party) { return party; })) return true;
      network_.advance_to(clock_.now_ns() + random_.below(500));
    }
    return false;
  }

  void pump() override { network_.advance_to(clock_.now_ns() + random_.below(5'000)); }

  bool doorbell_rang(std::uint32_t rank) override { return network_.is_woken(rank); }

  void end_member(std::uint32_t rank) override { network_.crash(rank); }

 private:
  Random random_;
  runtime::ManualClock clock_;
  SimNetwork network_;
};

Implementation simulated(std::string name, WriteOrder order) {
  return {.name = std::move(name), .connect = [order](const Wanted& wanted) {
            return std::make_unique<NetworkOfSim>(wanted, order);
          }};
}

const Implementation kFirstWordLast = simulated("first_word_last", WriteOrder::first_word_last);
const Implementation kAscending = simulated("ascending", WriteOrder::ascending);
const Implementation kUnordered = simulated("unordered", WriteOrder::unordered);

INSTANTIATE_TEST_SUITE_P(sim, Conformance,
                         testing::Values(kFirstWordLast, kAscending, kUnordered,
                                         behind_faults(kFirstWordLast), behind_faults(kAscending),
                                         behind_faults(kUnordered)),
                         name_of);

}  // namespace
}  // namespace lockstep::transports::conformance
