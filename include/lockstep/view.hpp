#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lockstep/error.hpp"

namespace lockstep {

/// Who is in the group: an id and the members in rank order.
struct View {
  std::uint64_t id = 0;
  std::vector<std::string> members;  ///< members[rank] is the name; rank 0 first
  std::uint32_t my_rank = 0;
  bool primary = false;  ///< it may order messages: a quorum hears one another, this member in it
};

/// A member of the view is not heard any more.
struct MemberUnreachable {
  std::uint32_t rank = 0;
  std::string name;
  std::string reason;  ///< "process died", "left the group", "silent for 2.0 s", …
};

/// A member of the view takes messages more slowly than they are sent: everybody waits for it.
struct MemberSlow {
  std::uint32_t rank = 0;
  std::string name;
  std::uint64_t lag = 0;  ///< turns of the order that wait for it
};

}  // namespace lockstep
