#include "bench/frame_wire.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include "bench/patience.hpp"
#include "transports/dpdk/load_port.hpp"

namespace lockstep::bench {
namespace {

/// Frames of one byte, until both ends know of each other.
constexpr std::byte kHere{1};
constexpr std::byte kHeard{2};
constexpr std::uint64_t kAgainNs = 10'000'000;

}  // namespace

Expected<FrameWire> FrameWire::open(const Session& session, std::uint32_t rank,
                                    std::string_view purpose) {
  const transports::dpdk::PluginOptions options{
      .devices = {fmt::format("net_memif_{},role={},socket={}-{},socket-abstract=yes", purpose,
                              rank == 0 ? "server" : "client", session.group_name, purpose)},
      .eal = {},
      .address = {},
      .prefix = fmt::format("lockstep-{}", getpid())};
  transports::Notices notices;
  auto loaded = transports::dpdk::load_wire("", options, notices);
  if (!loaded) return std::unexpected(loaded.error());
  FrameWire wire(std::move(*loaded));
  if (auto met = wire.meet(session); !met) return std::unexpected(met.error());
  return wire;
}

Expected<void> FrameWire::meet(const Session& session) {
  const runtime::TscClock& clock = session.clock;
  Patience patience(clock, session.floor_gives_way());
  std::uint64_t say_ns = 0;
  while (!answered_ || !answers_) {
    if (clock.now_ns() >= say_ns) {
      say(kHere);
      say_ns = clock.now_ns() + kAgainNs;
    }
    receive();
    if (!patience.wait()) return silent_pair();
  }
  return {};
}

bool FrameWire::say(std::byte word) noexcept {
  std::byte* const place = wire_->collect(1);
  if (place == nullptr) return false;
  *place = word;
  return wire_->submit();
}

bool FrameWire::heard(std::span<const std::byte> frame) noexcept {
  if (frame.size() != 1) return false;
  if (frame[0] == kHere && say(kHeard)) answers_ = true;
  if (frame[0] == kHeard) answered_ = true;
  return true;
}

std::span<const std::byte> FrameWire::receive() noexcept {
  const auto frame = wire_->receive();
  return heard(frame) ? std::span<const std::byte>() : frame;
}

}  // namespace lockstep::bench
