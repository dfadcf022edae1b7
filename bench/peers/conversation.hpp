#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "lockstep/error.hpp"

namespace lockstep::bench::peers {

/// The peer's side of what bench/peer_process.hpp describes.
struct Conversation {
  /// One round of as many messages; `failover` may be empty.
  std::function<Expected<std::vector<std::uint64_t>>(std::uint64_t samples)> measure;
  std::function<Expected<std::uint64_t>()> failover;
};

/// Says who is measured, then answers until there are no more questions. Returns the exit code.
int converse(const std::string& name, const std::string& version, const Conversation& conversation);

/// Says why there is nothing to measure. Returns the exit code.
int refuse(const Error& error);

/// A clock for durations, in nanoseconds.
std::uint64_t now_ns() noexcept;

}  // namespace lockstep::bench::peers
