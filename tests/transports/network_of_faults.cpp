#include <utility>

#include "tests/transports/conformance.hpp"
#include "transports/fault/faulty_transport.hpp"
#include "transports/sim/random.hpp"

namespace lockstep::transports::conformance {
namespace {

/// Every endpoint of another network behind the fault decorator.
class NetworkOfFaults final : public Network {
 public:
  NetworkOfFaults(std::unique_ptr<Network> inner, const Wanted& wanted) : inner_(std::move(inner)) {
    Random random(wanted.seed);
    for (std::uint32_t rank = 0; rank < wanted.members; ++rank) {
      const FaultPlan plan{.seed = random.next()};
      endpoints_.push_back(
          FaultyTransport::wrap(inner_->endpoint(rank), wanted.members, plan).value());
    }
  }

  Transport& endpoint(std::uint32_t rank) override { return *endpoints_[rank]; }
  bool run(std::vector<Party> parties) override { return inner_->run(std::move(parties)); }
  void pump() override { inner_->pump(); }
  bool doorbell_rang(std::uint32_t rank) override {
    return endpoints_[rank]->holds_posts() || inner_->doorbell_rang(rank);
  }
  void end_member(std::uint32_t rank) override {
    endpoints_[rank].reset();
    inner_->end_member(rank);
  }

 private:
  std::unique_ptr<Network> inner_;
  std::vector<std::unique_ptr<FaultyTransport>> endpoints_;
};

}  // namespace

Implementation behind_faults(Implementation implementation) {
  return {.name = implementation.name + "_with_faults",
          .connect =
              [connect = std::move(implementation.connect)](const Wanted& wanted) {
                auto inner = connect(wanted);
                return inner ? std::make_unique<NetworkOfFaults>(std::move(inner), wanted)
                             : nullptr;
              },
          .missing = std::move(implementation.missing),
          .polled = implementation.polled};
}

}  // namespace lockstep::transports::conformance
