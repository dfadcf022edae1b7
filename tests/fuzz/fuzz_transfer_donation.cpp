// What a joiner that went mad may say to a donor. What is saved and sent stays within the window
// and the step, and nothing is complete that was not sent.

#include <algorithm>
#include <array>

#include "membership/donation.hpp"
#include "tests/fuzz/transfer_ends.hpp"

namespace lockstep::membership {
namespace {

class Donor final : public StateMachine {
 public:
  void apply(const Message&) override {}
  bool save(SnapshotWriter& writer) override {
    require(!ended);
    static constexpr std::array<std::byte, kMostChunkBytes> kPiece{};
    const std::uint64_t before = written;
    for (std::uint32_t i = 0; i < pieces; ++i) written += writer.write(kPiece);
    require(written - before <= Donation::kBytesPerSave);
    if (fails) writer.fail("no");
    ended = fails || ends;
    return ended;
  }

  std::uint64_t written = 0;
  std::uint32_t pieces = 1;
  bool fails = false;
  bool ends = false;
  bool ended = false;
};

void run(std::span<const std::uint8_t> bytes) {
  constexpr TransferId kId{.cut = 3, .joiner = 9};
  Choices choices(bytes);
  Donor donor;
  FuzzedChannel channel;
  Donation donation(donor, kId, "donor", "joiner");
  while (choices.left()) {
    switch (choices.take<std::uint8_t>() % 10) {
      case 0:
        channel.refuses = !channel.refuses;
        break;
      case 1:
        channel.closed = true;
        break;
      case 2:
        channel = FuzzedChannel();
        donation.attach();
        break;
      case 3:
        donor.fails = choices.take<std::uint8_t>() == 0;
        donor.ends = choices.take<std::uint8_t>() % 4 == 0;
        donor.pieces = choices.take<std::uint8_t>() % 4;
        break;
      case 4:
        channel.waiting.push_back(choices.take_bytes(choices.take<std::uint8_t>() + 1U));
        break;
      case 5:
        donation.step(nullptr);
        break;
      default:
        channel.waiting.push_back(any_packet(choices, kId, channel.last_number + 1));
    }
    const std::uint64_t sent = channel.sent;
    donation.step(&channel);
    require(channel.sent - sent <= Donation::kChunksPerStep + 1);
    require(donor.written - donation.progress().bytes <= ChunkWindow::kChunks * kMostChunkBytes);
    if (donation.state() == Donation::State::complete) {
      require(donor.ended && donation.progress().bytes == donor.written);
    }
    require(donation.reason().size() <= 4 * kMostReasonBytes);
  }
}

}  // namespace
}  // namespace lockstep::membership

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  lockstep::membership::run({data, size});
  return 0;
}
