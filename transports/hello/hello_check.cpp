#include "transports/hello/hello_check.hpp"

#include <fmt/format.h>

namespace lockstep::transports {

Expected<void> check_sender(const Hello& hello, const MeetingOptions& options,
                            std::uint32_t expected_rank) {
  if (hello.version != kHelloVersion) {
    return fail(ErrorCode::mismatch,
                fmt::format("a member of group '{}' speaks version {} of the hello, this one "
                            "speaks {}; run the same build everywhere",
                            options.group, hello.version, kHelloVersion));
  }
  const bool known = hello.rank < options.members.size();
  const bool wanted =
      expected_rank == kAnyRank ? hello.rank != options.my_rank : hello.rank == expected_rank;
  if (!known || !wanted) {
    return fail(ErrorCode::mismatch,
                fmt::format("a process of group '{}' says that it has rank {}, which cannot be: "
                            "group.members must list the same {} members in the same order "
                            "everywhere",
                            options.group, hello.rank, options.members.size()));
  }
  return {};
}

Expected<void> check_terms(const Hello& hello, const MeetingOptions& options) {
  const std::string peer = named_member(options, hello.rank);
  if (hello.medium != options.medium) {
    return fail(ErrorCode::mismatch,
                fmt::format("{} connects over {}, this one over {}; set group.transport alike",
                            peer, to_string(hello.medium), to_string(options.medium)));
  }
  // Over a link the settings were compared before, which say why.
  if (makes_link(hello.purpose) && hello.region_bytes != options.region_bytes) {
    return fail(ErrorCode::mismatch, fmt::format("regions are {} bytes here and {} at {}",
                                                 options.region_bytes, hello.region_bytes, peer));
  }
  return {};
}

std::string named_member(const MeetingOptions& options, std::uint32_t rank) {
  return fmt::format("member '{}' (rank {})", options.members[rank], rank);
}

}  // namespace lockstep::transports
