#include "bench/control.hpp"

#include <algorithm>
#include <cstring>

namespace lockstep::bench {

void Control::fail_with(std::uint32_t rank, std::string_view message) noexcept {
  if (!failed_rank.replace(0, std::uint64_t{rank} + 1)) return;
  const std::size_t length = std::min(message.size(), failure.size() - 1);
  std::memcpy(failure.data(), message.data(), length);
  failure_written.store(1);
}

std::string Control::failure_message() noexcept {
  if (failure_written.load() == 0) return {};
  return failure.data();
}

void Control::drained_at(std::uint64_t now_ns) noexcept {
  std::uint64_t seen = drained_ns.load();
  while (seen < now_ns && !drained_ns.replace(seen, now_ns)) seen = drained_ns.load();
}

}  // namespace lockstep::bench
