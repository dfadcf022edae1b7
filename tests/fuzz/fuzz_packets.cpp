// What may come to the port of a member over packets: anything at all, and packets with a true seal
// from a peer that went mad, with keys or without. Nothing may be read or written out of bounds,
// what does not fit is counted, and the link ends or goes on.

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <vector>

#include "transports/packet/packet_link.hpp"

namespace {

using namespace lockstep::transports;
using packet::PacketLink;

constexpr packet::LinkSecret kMine{1};
constexpr packet::LinkSecret kTheirs{2};
constexpr std::size_t kRegion = 256;

class Nowhere final : public packet::Wire {
 public:
  explicit Nowhere(const LinkKeys* keys) {
    if (keys != nullptr) ear_.emplace(*keys, 512);
  }
  bool send(std::span<const std::byte> bytes) noexcept override {
    // What a member says must always be sound.
    const bool sound =
        ear_ ? ear_->open(bytes).has_value() : packet::parse(bytes, kMine).has_value();
    if (!sound) std::abort();
    return (++count_ & 7U) != 0;
  }

 private:
  std::optional<packet::PacketOpener> ear_;
  unsigned count_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::span<const std::byte> input(reinterpret_cast<const std::byte*>(data), size);
  // Both ends have one key for both directions, so that what one seals the other opens.
  LinkKeys keys;
  std::fill_n(keys.sending.data(), Secret::size(), static_cast<unsigned char>(1));
  std::fill_n(keys.receiving.data(), Secret::size(), static_cast<unsigned char>(1));
  const bool encrypted = size % 2 == 1;
  packet::PacketSealer peer(keys, 1, 2'048);
  std::vector<std::byte> memory(64 + kRegion * kRegionCopies + 64, std::byte{0x5a});
  PacketLink link({.mine = kMine,
                   .theirs = kTheirs,
                   .packet_bytes = 512,
                   .peer_packet_bytes = 512,
                   .peer_credit = 8,
                   .my_credit = 8,
                   .give_up_ns = 1'000'000,
                   .region_bytes = kRegion},
                  std::span(memory).subspan(64, kRegion * kRegionCopies),
                  encrypted ? &keys : nullptr);
  Nowhere wire(encrypted ? &keys : nullptr);
  const std::uint64_t words[4] = {};
  std::uint64_t now_ns = 1'000;
  while (input.size() >= 2) {
    // How long it is, and what is done to it.
    const auto shape = static_cast<unsigned>(input[0]) | static_cast<unsigned>(input[1]) << 8U;
    input = input.subspan(2);
    const std::size_t bytes = std::min<std::size_t>(shape & 0x3ffU, input.size());
    std::vector<std::byte> one(input.begin(), input.begin() + static_cast<std::ptrdiff_t>(bytes));
    input = input.subspan(bytes);
    if ((shape & 0x400U) != 0 && one.size() >= sizeof(packet::Head)) {
      packet::Head head;
      std::memcpy(&head, one.data(), sizeof head);
      head.magic = packet::kMagic;
      head.ahead_words = static_cast<std::uint8_t>(head.ahead_words % 5);
      const std::size_t rest = one.size() - sizeof head;
      if (rest >= head.ahead_words * 8U) {
        head.body_bytes = static_cast<std::uint32_t>(rest - head.ahead_words * 8U);
      }
      if ((shape & 0x800U) != 0) head.sequence %= 16;
      if ((shape & 0x1000U) != 0) head.received %= 16;
      if ((shape & 0x2000U) != 0) head.newest %= 16;
      head.kind = head.body_bytes > 0 ? packet::Kind::data : packet::Kind::acknowledgement;
      std::memcpy(one.data(), &head, sizeof head);
      if (encrypted) {
        const auto sealed = peer.seal(one, 0);
        std::copy(sealed.begin(), sealed.end(), one.begin());
      } else {
        packet::seal(one, kTheirs);
      }
    }
    link.receive(one, now_ns);
    if ((shape & 0x4000U) != 0) (void)link.push(0, 0, std::as_bytes(std::span(words)), now_ns);
    if ((shape & 0x1800U) == 0x1800U) link.renew_keys();
    link.send(now_ns, wire, (shape & 0x8000U) != 0);
    now_ns += shape;
    if (const std::uint64_t due_ns = link.deadline_ns(); due_ns <= now_ns) {
      link.send(now_ns, wire, true);
    }
  }
  for (std::size_t i = 0; i < 64; ++i) {
    if (memory[i] != std::byte{0x5a} || memory[memory.size() - 1 - i] != std::byte{0x5a}) {
      std::abort();
    }
  }
  return 0;
}
