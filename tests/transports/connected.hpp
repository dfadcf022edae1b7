#pragma once

#include <fmt/format.h>

#include <memory>
#include <string>
#include <utility>

#include "runtime/entropy.hpp"
#include "transports/connect.hpp"

namespace lockstep::transports {

/// A member's connection, with the links of all who came until the group could be founded. Null,
/// and the reason on stderr, if it did not come to that.
inline std::unique_ptr<Connection> connect_all(const GroupConfig& config, ConnectOptions options) {
  options.incarnation = runtime::random_word().value();
  options.memory.huge_pages = HugePages::never;
  auto connected = connect(config, options,
                           [](std::uint32_t, const std::string&) -> Expected<void> { return {}; });
  if (!connected) {
    fmt::print(stderr, "{}\n", connected.error().message);
    return nullptr;
  }
  for (Arrival& arrival : connected->greeter->take()) {
    if (arrival.purpose == Purpose::life_line) {
      connected->transport->hold_life_line(arrival.link, std::move(arrival.life_line));
    }
    if (arrival.purpose != Purpose::link) continue;
    if (auto adopted = connected->transport->adopt(std::move(arrival.newcomer)); !adopted) {
      fmt::print(stderr, "{}\n", adopted.error().message);
      return nullptr;
    }
  }
  return std::make_unique<Connection>(std::move(*connected));
}

}  // namespace lockstep::transports
