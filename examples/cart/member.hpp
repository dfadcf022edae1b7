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

/// One member's part in the story.
struct Part {
  std::uint32_t place = 0;  ///< among GroupConfig::members
  Crash crash = Crash::early;
  Transcript& transcript;
  /// In shared memory: 1 when the view of two is installed, which is P4's cue.
  std::uint64_t& cue;
};

/// Lives `part` and returns what its process exits with: 0 if it ended as told. P2 does not return:
/// it dies by SIGKILL.
int run_member(const GroupConfig& config, const Part& part);

}  // namespace lockstep::examples
