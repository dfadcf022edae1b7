// A walk through virtual synchrony: a replicated cart on P1, P2 and P3. P2 dies in the middle of a
// put, and the others agree: either all of them apply it, or none. Then P4 joins, gets the state,
// and puts, too. `cart`, or `cart early`, `cart late` for one of the two outcomes.
#include <fmt/format.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "examples/cart/member.hpp"
#include "tools/launch/members.hpp"
#include "tools/launch/shared_array.hpp"

namespace lockstep::examples {
namespace {

constexpr std::uint64_t kTimeoutNs = 60'000'000'000;

GroupConfig group_of_three_and_one(std::string_view story) {
  GroupConfig config;
  config.name = fmt::format("cart-{}-{}", story, ::getpid());
  config.members = {"P1", "P2", "P3", "P4"};
  config.founders = {"P1", "P2", "P3"};
  return config;
}

/// Each step once, with everybody who saw it.
void print(const launch::SharedArray<Transcript>& transcripts, const GroupConfig& config) {
  for (std::size_t step = 0; step < kSteps; ++step) {
    std::string_view line;
    std::string who;
    for (std::size_t rank = 0; rank < transcripts.size(); ++rank) {
      const std::string_view told = transcripts[rank].line(step);
      if (told.empty()) continue;
      // Members that differ would break the promise: then each line is shown.
      if (!line.empty() && told != line) fmt::print("  {:<10}  {}\n", who, line);
      if (told != line) who.clear();
      line = told;
      if (!who.empty()) who += ' ';
      who += config.members[rank];
    }
    if (!line.empty()) fmt::print("  {:<10}  {}\n", who, line);
  }
}

bool ended_as_told(const launch::MemberEnd& end) {
  if (end.rank != 1) return end.good();
  return end.ending == launch::Ending::signalled && end.status == SIGKILL;
}

Expected<void> tell(std::string_view story, Crash crash) {
  const GroupConfig config = group_of_three_and_one(story);
  const auto members = static_cast<std::uint32_t>(config.members.size());
  auto transcripts = launch::SharedArray<Transcript>::create(members);
  if (!transcripts) return std::unexpected(transcripts.error());
  auto cue = launch::SharedArray<std::uint64_t>::create(1);
  if (!cue) return std::unexpected(cue.error());
  const auto play = [&](std::uint32_t place) {
    return run_member(
        config,
        {.place = place, .crash = crash, .transcript = (*transcripts)[place], .cue = (*cue)[0]});
  };
  const auto ends =
      launch::run_members(members, launch::As::processes, kTimeoutNs, play, kTimeoutNs);
  if (!ends) return std::unexpected(ends.error());
  fmt::print("P2 dies {}:\n", story);
  print(*transcripts, config);
  for (const launch::MemberEnd& end : *ends) {
    if (ended_as_told(end)) continue;
    return fail(ErrorCode::member_lost, fmt::format("{} {}", config.members[end.rank], end.words));
  }
  return {};
}

}  // namespace
}  // namespace lockstep::examples

int main(int count, char** arguments) {
  using lockstep::examples::Crash;
  std::vector<std::string_view> stories(arguments + 1, arguments + count);
  if (stories.empty()) stories = {"early", "late"};
  for (const std::string_view story : stories) {
    if (story != "early" && story != "late") {
      fmt::print(stderr, "usage: cart [early] [late]\n");
      return 2;
    }
    const auto told =
        lockstep::examples::tell(story, story == "early" ? Crash::early : Crash::late);
    if (told) continue;
    std::fflush(stdout);
    fmt::print(stderr, "cart: {}\n", told.error().message);
    return EXIT_FAILURE;
  }
  return EXIT_SUCCESS;
}
