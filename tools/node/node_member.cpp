#include "tools/node/node_member.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "tools/node/say.hpp"

namespace lockstep::node {

void NodeMember::tell(const std::string& line) const { say(fmt::format("{}: {}", name_, line)); }

void NodeMember::begin() {
  evicted_ = false;
  served_.clear();
}

// All members of a view have applied the same at its beginning: they all say the same digest.
void NodeMember::view_installed(const View& view) {
  tell(fmt::format("view {}: {}; rank {} of {}; {}", view.id, fmt::join(view.members, " "),
                   view.my_rank, view.members.size(), served_.summary()));
}

void NodeMember::transfer_progressed(const TransferProgress& progress) {
  tell(fmt::format("state from {} to {}: {} bytes{}", progress.donor, progress.joiner,
                   progress.bytes, progress.complete ? ", complete" : " so far"));
}

void NodeMember::member_unreachable(const MemberUnreachable& unreachable) {
  tell(fmt::format("{} (rank {}) is unreachable: {}", unreachable.name, unreachable.rank,
                   unreachable.reason));
}

void NodeMember::quorum_lost(const View& view) {
  tell(
      fmt::format("no quorum: too few of the {} members of view {} are reachable; the order "
                  "waits",
                  view.members.size(), view.id));
}

void NodeMember::quorum_regained(const View& view) {
  tell(fmt::format("quorum again in view {}", view.id));
}

void NodeMember::evicted(const View& view) {
  evicted_ = true;
  tell(fmt::format("evicted: the others went on without this member after view {}", view.id));
}

}  // namespace lockstep::node
