#pragma once

#include <fmt/format.h>

#include <string>

#include "transports/sim/random.hpp"
#include "transports/sim/sim_options.hpp"

namespace lockstep::sim {

/// Makes every third network one of mixed media, by draws of its own: other networks are as they
/// are without. Only where links keep some order: else there is nothing weaker to be mixed in.
inline void draw_mixture(transports::SimOptions& options, transports::Random random) {
  if (!random.chance(333) || options.write_order == transports::WriteOrder::unordered) return;
  const std::uint64_t everyone = ~std::uint64_t{0} >> (64 - options.members);
  options.near = random.next() & everyone;
  options.devices = random.next() & everyone;
}

/// "; 5 share memory, 3 have devices", in hexadecimal; empty: nothing is mixed.
inline std::string describe_mixture(const transports::SimOptions& options) {
  if (options.near == 0 && options.devices == 0) return {};
  return fmt::format("; of mixed media: {:x} share memory, {:x} have devices", options.near,
                     options.devices);
}

}  // namespace lockstep::sim
