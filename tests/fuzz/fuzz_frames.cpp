#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "ordering/frame.hpp"
#include "ordering/region_layout.hpp"
#include "ordering/view_order.hpp"
#include "runtime/assert.hpp"
#include "transports/transport.hpp"

// A random writer into the region that one member writes and another reads: rows, markers, lengths
// and payloads of any value, some behind correct markers. Whatever it writes, the reader neither
// crashes nor blocks nor reads outside the ring (the address sanitizer watches), and every payload
// handed over lies in it.

namespace lockstep::ordering {
namespace {

constexpr std::size_t kRing = 4'096;
constexpr std::uint64_t kNonces[] = {11, 22};

/// Two members, of which this one is rank 0. What it writes goes nowhere.
class LoneEnd final : public transports::Transport {
 public:
  explicit LoneEnd(transports::WriteOrder order) : order_(order) {}
  std::size_t region_bytes() const noexcept override { return inbound_.size(); }
  transports::WriteOrder write_order() const noexcept override { return order_; }
  std::span<std::byte> source() noexcept override { return source_; }
  std::span<std::byte> inbound(transports::LinkId, std::uint32_t) noexcept override {
    return inbound_;
  }
  transports::Post write(transports::LinkId, std::uint32_t, std::uint64_t,
                         std::span<const std::byte>, std::uint64_t mark) noexcept override {
    mark_ = mark;
    return transports::Post::posted;
  }
  void flush(transports::LinkId) noexcept override {}
  std::uint64_t completed(transports::LinkId) const noexcept override { return mark_; }
  std::size_t poll(std::span<transports::LinkDown>) noexcept override { return 0; }
  void drop(transports::LinkId) noexcept override {}
  void announce_sleep() noexcept override {}
  void announce_awake() noexcept override {}
  void ring_doorbells() noexcept override {}
  void set_never_sleeps(bool /*never*/) noexcept override {}
  std::span<const int> descriptors() const noexcept override { return {}; }

 private:
  alignas(64) std::array<std::byte, ordering::region_bytes(kRing)> inbound_{};
  alignas(64) std::array<std::byte, kRing> source_{};
  transports::WriteOrder order_;
  std::uint64_t mark_ = 0;
};

class Bounds final : public MessageHandler {
 public:
  explicit Bounds(LoneEnd& end) : end_(end) {}
  void apply(const Message& message) override {
    if (message.mine) return;
    const std::span<std::byte> region = end_.inbound(1, 0);
    LOCKSTEP_ASSERT(message.payload.data() >= region.data() + kRingOffset);
    LOCKSTEP_ASSERT(message.payload.data() + message.payload.size() <=
                    region.data() + region.size());
    unsigned sum = 0;
    for (const std::byte b : message.payload) sum += static_cast<unsigned>(b);
    sum_ = sum;
  }

 private:
  LoneEnd& end_;
  volatile unsigned sum_ = 0;
};

/// Takes numbers out of the fuzzer's bytes until they are used up.
class Choices {
 public:
  explicit Choices(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}
  bool left() const { return !bytes_.empty(); }
  template <class T>
  T take() {
    T value{};
    const std::size_t count = std::min(sizeof value, bytes_.size());
    std::memcpy(&value, bytes_.data(), count);
    bytes_ = bytes_.subspan(count);
    return value;
  }

 private:
  std::span<const std::uint8_t> bytes_;
};

void write_header(LoneEnd& end, Choices& choices, bool with_tail) {
  // Near the start of the stream: these are the positions the reader will look at.
  const std::uint64_t position = (choices.take<std::uint8_t>() * kFrameAlignment);
  const FrameHeader header{header_marker(position, kNonces[1]), choices.take<std::uint64_t>(),
                           choices.take<std::uint32_t>(), choices.take<std::uint16_t>()};
  std::byte* ring = end.inbound(1, 0).data() + kRingOffset;
  const std::uint64_t offset = position % kRing;
  std::memcpy(ring + offset, &header, sizeof header);
  const std::size_t bytes = frame_bytes(header.length & ~kPadFlag);
  if (!with_tail || bytes > kRing - offset) return;
  const bool checked = end.write_order() == transports::WriteOrder::unordered;
  const std::uint64_t checksum =
      checked ? frame_checksum(header, ring + offset + sizeof header) : 0;
  const std::uint64_t tail = tail_word(header.marker, checksum);
  std::memcpy(ring + offset + bytes - kTailBytes, &tail, sizeof tail);
}

void run(std::span<const std::uint8_t> bytes) {
  Choices choices(bytes);
  LoneEnd end(static_cast<transports::WriteOrder>(choices.take<std::uint8_t>() % 3));
  ViewOrder order(end, {.members = 2,
                        .my_rank = 0,
                        .senders = {0, 1},
                        .ring_bytes = kRing,
                        .nonces = {kNonces[0], kNonces[1]},
                        .copy = 0});
  Bounds bounds(end);
  while (choices.left()) {
    std::byte* region = end.inbound(1, 0).data();
    switch (choices.take<std::uint8_t>() % 6) {
      case 0: {
        const auto word = choices.take<std::uint64_t>();
        const std::size_t words = end.inbound(1, 0).size() / sizeof word;
        std::memcpy(region + choices.take<std::uint16_t>() % words * sizeof word, &word,
                    sizeof word);
        break;
      }
      case 1:
        write_header(end, choices, false);
        break;
      case 2:
        write_header(end, choices, true);
        break;
      case 3: {  // a row
        const std::uint64_t word =
            choices.take<std::uint64_t>() >> choices.take<std::uint8_t>() % 64;
        std::memcpy(region + choices.take<std::uint8_t>() % 4 * sizeof word, &word, sizeof word);
        break;
      }
      case 4: {
        const std::size_t size = choices.take<std::uint16_t>() % order.max_payload_bytes();
        if (order.claim(size) != nullptr) order.publish(1);
        break;
      }
      default: {
        bool busy = order.receive();
        busy |= order.deliver(bounds);
        order.send(busy);
        std::uint32_t offender = 0;
        if (order.take_offender(offender)) order.lose(offender);
        static_cast<void>(order.anything_new());
      }
    }
  }
}

}  // namespace
}  // namespace lockstep::ordering

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  lockstep::ordering::run({data, size});
  return 0;
}
