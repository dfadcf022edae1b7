#include "tools/node/status.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <map>
#include <span>
#include <string_view>

#include "runtime/counters_layout.hpp"
#include "tools/node/descriptor.hpp"

namespace lockstep::node {
namespace {

using Values = std::map<std::string, std::uint64_t, std::less<>>;
constexpr std::string_view kPrefix = "group.";
constexpr std::string_view kView = ".view";
constexpr std::string_view kRankOf = "rank_of.";
constexpr std::uint64_t kNoRank = ~std::uint64_t{0};

std::uint64_t value_of(const Values& values, const std::string& name) {
  const auto found = values.find(name);
  return found == values.end() ? 0 : found->second;
}

/// The group that a counter's name announces; empty: none. A name alone could mislead, since names
/// of groups and members may have dots.
std::string_view group_announced_by(std::string_view name, const Values& values) {
  if (!name.starts_with(kPrefix) || !name.ends_with(kView)) return {};
  if (name.size() <= kPrefix.size() + kView.size()) return {};
  name.remove_prefix(kPrefix.size());
  name.remove_suffix(kView.size());
  return values.contains(fmt::format("group.{}.primary", name)) ? name : std::string_view();
}

/// The words of docs/counters.md; `number` may be of a later build.
std::string word_of(std::span<const std::string_view> words, std::uint64_t number) {
  return number < words.size() ? std::string(words[number]) : fmt::format("number {}", number);
}

constexpr std::array<std::string_view, 7> kMedia = {"",    "shm",  "tcp", "verbs",
                                                    "udp", "dpdk", "auto"};
constexpr std::array<std::string_view, 8> kObstacles = {
    "",
    "group.transport names another medium",
    "it runs on another host",
    "it is on this host, in another network name space or of another user",
    "this member has no RDMA device of its address",
    "it has no RDMA device of its address, or that refused",
    "the group is to be encrypted (group.encryption), which this medium cannot be",
    "this member's RDMA device refused (its notices say why)"};

void add_links(const Values& values, const std::string& prefix, MemberStatus& member) {
  const auto value = [&](const char* what) {
    return value_of(values, fmt::format("{}{}_of.{}", prefix, what, member.name));
  };
  member.medium = word_of(kMedia, value("medium"));
  if (value("encrypted") != 0) member.medium += ", encrypted";
  for (const char* medium : {"shm", "verbs"}) {
    const std::uint64_t obstacle = value(fmt::format("no_{}", medium).c_str());
    if (obstacle == 0) continue;
    member.passed_over.push_back(fmt::format("not {}: {}", medium, word_of(kObstacles, obstacle)));
  }
}

MemberStatus member_in(const Values& values, const std::string& prefix, std::string_view member,
                       std::size_t place) {
  const std::uint64_t rank = value_of(values, fmt::format("{}{}{}", prefix, kRankOf, member));
  MemberStatus status{
      .name = std::string(member),
      .rank = rank == kNoRank ? std::nullopt : std::optional(rank),
      .lag = value_of(values, fmt::format("{}lag_of.{}", prefix, member)),
      .unreachable = value_of(values, fmt::format("{}unreachable_of.{}", prefix, member)) != 0,
      .stalls = value_of(values, fmt::format("{}stalls_by_rank.{}", prefix, place))};
  add_links(values, prefix, status);
  return status;
}

GroupStatus group_in(const std::vector<CounterReading>& readings, const Values& values,
                     std::string_view name) {
  const std::string prefix = fmt::format("group.{}.", name);
  GroupStatus group{.name = std::string(name),
                    .view = value_of(values, prefix + "view"),
                    .my_rank = value_of(values, prefix + "my_rank"),
                    .primary = value_of(values, prefix + "primary") != 0,
                    .members = {},
                    .frames_delivered = value_of(values, prefix + "frames_delivered"),
                    .frames_sent = value_of(values, prefix + "frames_sent"),
                    .stalls_ring_full = value_of(values, prefix + "stalls_ring_full"),
                    .stalls_link_full = value_of(values, prefix + "stalls_link_full")};
  const std::string rank_of = prefix + std::string(kRankOf);
  for (const CounterReading& reading : readings) {
    if (!reading.name.starts_with(rank_of)) continue;
    const std::string member = reading.name.substr(rank_of.size());
    if (std::ranges::find(group.members, member, &MemberStatus::name) != group.members.end()) {
      continue;
    }
    group.members.push_back(member_in(values, prefix, member, group.members.size()));
  }
  return group;
}

std::string line_of(const MemberStatus& member, const GroupStatus& group) {
  const std::string stalls =
      member.stalls == 0 ? "" : fmt::format("  made claims wait {} times", member.stalls);
  if (!member.rank) {
    return fmt::format("  {:>4}  {:<20} {:>10}  not in the view{}\n", "-", member.name, "", stalls);
  }
  const bool me = *member.rank == group.my_rank;
  const std::string link = member.medium.empty() ? "" : fmt::format(" by {}", member.medium);
  std::string text = fmt::format(
      "  {:>4}  {:<20} {:>10}  {}{}{}\n", *member.rank, member.name, member.lag,
      member.unreachable ? "unreachable" : (me ? "this member" : "reachable"), link, stalls);
  for (const std::string& line : member.passed_over) {
    text += fmt::format("  {:>4}  {:<20} {:>10}  {}\n", "", "", "", line);
  }
  return text;
}

}  // namespace

Expected<Writer> writer_of(const std::string& counters_file) {
  const Descriptor file(::open(counters_file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  std::uint64_t pid = 0;
  if (file.get() < 0 ||
      ::pread(file.get(), &pid, sizeof pid, offsetof(runtime::CountersHeader, pid)) != sizeof pid) {
    return fail(ErrorCode::system, fmt::format("counters file {}: cannot read it: {}",
                                               counters_file, std::strerror(errno)));
  }
  // The writer holds an exclusive lock for as long as it runs; ours ends with the descriptor.
  const bool locked = ::flock(file.get(), LOCK_SH | LOCK_NB) != 0;
  return Writer{.pid = pid, .is_alive = locked && errno == EWOULDBLOCK};
}

std::vector<GroupStatus> groups_in(const std::vector<CounterReading>& readings) {
  Values values;
  for (const CounterReading& reading : readings) values[reading.name] = reading.value;
  std::vector<GroupStatus> groups;
  for (const auto& [name, value] : values) {
    const std::string_view group = group_announced_by(name, values);
    if (!group.empty()) groups.push_back(group_in(readings, values, group));
  }
  return groups;
}

std::string to_text(const GroupStatus& group) {
  std::size_t in_view = 0;
  for (const MemberStatus& member : group.members) in_view += member.rank ? 1 : 0;
  std::string text =
      fmt::format("group '{}': view {} of {} members, {}\n", group.name, group.view, in_view,
                  group.primary ? "orders messages" : "orders nothing: no quorum, or evicted");
  text += fmt::format("  {:>4}  {:<20} {:>10}\n", "rank", "member", "lag");
  for (const MemberStatus& member : group.members) text += line_of(member, group);
  text += fmt::format(
      "  delivered {}, sent {}; claims that found the ring full {}, posts that "
      "found a link full {}\n",
      group.frames_delivered, group.frames_sent, group.stalls_ring_full, group.stalls_link_full);
  return text;
}

}  // namespace lockstep::node
