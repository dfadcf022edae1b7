#pragma once

#include <cstdint>

#include "examples/cart/transcript.hpp"
#include "lockstep/config.hpp"

namespace lockstep::examples {

/// How far PUT cart 20 gets before its sender dies in the middle of it.
enum class Crash : std::uint8_t {
  early,  ///< published, and on no link: no survivor may ever apply it
  late,   ///< on every link, applied by nobody that lived to tell: every survivor must apply it
};

/// Lives the part of the member at `rank` of the story and returns what its process exits with: 0
/// if it ended as told. P2, at rank 1, does not return: it dies by SIGKILL.
int run_member(const GroupConfig& config, std::uint32_t rank, Crash crash, Transcript& transcript);

}  // namespace lockstep::examples
