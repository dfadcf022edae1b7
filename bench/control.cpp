#include "bench/control.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace lockstep::bench {

void Control::fail_with(std::uint32_t rank, const Error& error) noexcept {
  if (!failed_rank.replace(0, std::uint64_t{rank} + 1)) return;
  const std::size_t length = std::min(error.message.size(), failure.size() - 1);
  std::memcpy(failure.data(), error.message.data(), length);
  failure_code = static_cast<std::uint64_t>(error.code);
  failure_written.store(1);
}

std::optional<Error> Control::first_failure() noexcept {
  if (failure_written.load() == 0) return std::nullopt;
  return Error{static_cast<ErrorCode>(failure_code),
               fmt::format("rank {}: {}", failed_rank.load() - 1, failure.data())};
}

void Control::drained_at(std::uint64_t now_ns) noexcept {
  std::uint64_t seen = drained_ns.load();
  while (seen < now_ns && !drained_ns.replace(seen, now_ns)) seen = drained_ns.load();
}

}  // namespace lockstep::bench
