// What a donor that went mad may say to a joiner. Chunks are loaded once, in order, a bounded
// number a step, and never after the end.

#include <algorithm>

#include "membership/reception.hpp"
#include "tests/fuzz/transfer_ends.hpp"

namespace lockstep::membership {
namespace {

class Joiner final : public StateMachine {
 public:
  void apply(const Message&) override {}
  void load(SnapshotReader& reader) override {
    require(!ended);
    require(reader.first() == (loads == 0));
    require(!reader.bytes().empty() || reader.last());
    ++loads;
    bytes += reader.bytes().size();
    if (fails) reader.fail("no");
    ended = fails || reader.last();
  }
  void transfer_progressed(const TransferProgress& progress) override {
    require(progress.bytes == bytes);
  }

  std::uint64_t loads = 0;
  std::uint64_t bytes = 0;
  bool fails = false;
  bool ended = false;
};

void run(std::span<const std::uint8_t> bytes) {
  constexpr TransferId kId{.cut = 3, .joiner = 9};
  Choices choices(bytes);
  Joiner joiner;
  FuzzedChannel channel;
  Reception reception(joiner, kId, "donor", "joiner");
  while (choices.left()) {
    switch (choices.take<std::uint8_t>() % 8) {
      case 0:
        channel.refuses = !channel.refuses;
        break;
      case 1:
        channel.closed = true;
        break;
      case 2:
        channel = FuzzedChannel();
        reception.attach();
        break;
      case 3:
        joiner.fails = choices.take<std::uint8_t>() == 0;
        break;
      case 4:
        channel.waiting.push_back(choices.take_bytes(choices.take<std::uint8_t>() + 1U));
        break;
      default:
        channel.waiting.push_back(any_packet(choices, kId, joiner.loads));
    }
    const std::uint64_t loads = joiner.loads;
    const std::uint64_t sent = channel.sent;
    reception.step(channel);
    require(joiner.loads - loads <= Reception::kPacketsPerStep);
    require(channel.sent - sent <= 1);
    require(!joiner.ended || reception.state() != Reception::State::going);
    require(reception.state() != Reception::State::complete || joiner.ended);
    require(reception.reason().size() <= 4 * kMostReasonBytes);
    if (channel.sent > sent && channel.last_kind == TransferKind::wanted) {
      require(channel.last_number == joiner.loads);
    }
  }
}

}  // namespace
}  // namespace lockstep::membership

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  lockstep::membership::run({data, size});
  return 0;
}
