#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace lockstep::transports::packet {

/// One property of the layer over one kind of wire. Run with a seed it gives what is wrong, or
/// nothing.
struct PacketCheck {
  std::string name;
  std::function<std::string(std::uint64_t seed)> run;
};

/// All of them: what the layer passes, and every mutant fails.
const std::vector<PacketCheck>& packet_checks();

}  // namespace lockstep::transports::packet
