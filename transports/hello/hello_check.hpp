#pragma once

#include <cstdint>
#include <string>

#include "lockstep/error.hpp"
#include "transports/hello/hello_packet.hpp"
#include "transports/hello/meeting.hpp"

namespace lockstep::transports {

/// Of a hello from somebody who dialled: any rank but one's own.
inline constexpr std::uint32_t kAnyRank = ~std::uint32_t{0};

/// Whether who said `hello` speaks as this member does, and can be `expected_rank`. Error:
/// mismatch, which ends the meeting: a group that was started like that cannot form.
Expected<void> check_sender(const Hello& hello, const MeetingOptions& options,
                            std::uint32_t expected_rank);

/// Whether both can be in one group: medium and layout. Error: mismatch, with both values.
Expected<void> check_terms(const Hello& hello, const MeetingOptions& options);

/// "member 'b' (rank 1)".
std::string named_member(const MeetingOptions& options, std::uint32_t rank);

}  // namespace lockstep::transports
