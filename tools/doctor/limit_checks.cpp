#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "tools/doctor/cgroup.hpp"
#include "tools/doctor/checks.hpp"

namespace lockstep::doctor {
namespace {

/// A member with the default rings takes some 20 MiB; a state machine of any use, much more.
constexpr std::int64_t kMemoryWanted = 1LL << 30;
/// Version 1 writes "no limit" as the largest number of whole pages.
constexpr std::int64_t kUnlimited = 1LL << 62;
/// Threads of a few members and of what starts them.
constexpr std::int64_t kTasksWanted = 256;

std::optional<std::int64_t> parse_number(std::string_view text) {
  std::int64_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) return std::nullopt;
  return number;
}

/// The least number in `limits`; none: "max" everywhere.
Reading<std::optional<std::int64_t>> least(const std::vector<LimitReading>& limits,
                                           std::string_view file) {
  std::optional<std::int64_t> least;
  for (const LimitReading& limit : limits) {
    if (!limit.text) return std::unexpected(limit.text.error());
    if (*limit.text == "max") continue;
    const auto number = parse_number(*limit.text);
    if (!number || *number < 0) {
      return std::unexpected(
          malformed(fmt::format("{}/{}", limit.folder, file), *limit.text, "a limit"));
    }
    if (*number < kUnlimited) least = std::min(least.value_or(*number), *number);
  }
  return least;
}

/// The CPUs that one cgroup's quota allows, "QUOTA PERIOD" in version 2; none: no quota.
Reading<std::optional<double>> quota_of(const Tree& tree, const LimitReading& limit) {
  if (!limit.text) return std::unexpected(limit.text.error());
  const std::string& text = *limit.text;
  const std::size_t space = std::min(text.find(' '), text.size());
  const std::string_view first = std::string_view(text).substr(0, space);
  if (first == "max" || (!limit.is_version_2 && first == "-1")) return std::nullopt;
  const auto quota = parse_number(first);
  auto period = limit.is_version_2
                    ? parse_number(std::string_view(text).substr(std::min(space + 1, text.size())))
                    : tree.number(limit.folder + "/cpu.cfs_period_us").value_or(0);
  if (!quota || !period || *quota < 0 || *period <= 0) {
    return std::unexpected(malformed(limit.folder, text, "a cgroup with a quota and a period"));
  }
  return static_cast<double>(*quota) / static_cast<double>(*period);
}

std::string lifting(std::string_view docker, std::string_view systemd) {
  return fmt::format("on the host: docker update {} CONTAINER, or systemctl set-property UNIT {}",
                     docker, systemd);
}

/// A limit that is a number: what it is called, how much is enough, and how it is lifted.
struct NumberCheck {
  std::string id;
  std::string wanted;
  LimitFile file;
  std::int64_t enough;
  std::int64_t unit;
  std::string_view unit_name;
  std::string mend;
};

Finding check_number(const Tree& tree, const NumberCheck& check) {
  Finding finding{.id = check.id,
                  .severity = Severity::ok,
                  .found = "no limit",
                  .wanted = check.wanted,
                  .mend = ""};
  const auto limits = read_limits(tree, check.file);
  if (!limits) return unread_finding(finding.id, finding.wanted, limits.error());
  const auto limit = least(*limits, check.file.version_2);
  if (!limit) return unread_finding(finding.id, finding.wanted, limit.error());
  if (!*limit) return finding;
  finding.found = fmt::format("{} {}", **limit / check.unit, check.unit_name);
  if (**limit >= check.enough) return finding;
  finding.severity = Severity::warning;
  finding.mend = check.mend;
  return finding;
}

}  // namespace

Finding check_cpu_quota(const Tree& tree, const Machine& /*machine*/) {
  Finding finding{.id = "cpu_quota",
                  .severity = Severity::ok,
                  .found = "no limit",
                  .wanted = "none: who has spent it stands still to the end of the period, 100 ms",
                  .mend = ""};
  const auto limits = read_limits(
      tree, {.controller = "cpu", .version_1 = "cpu.cfs_quota_us", .version_2 = "cpu.max"});
  if (!limits) return unread_finding(finding.id, finding.wanted, limits.error());
  std::optional<double> least;
  for (const LimitReading& limit : *limits) {
    const auto quota = quota_of(tree, limit);
    if (!quota) return unread_finding(finding.id, finding.wanted, quota.error());
    if (*quota) least = std::min(least.value_or(**quota), **quota);
  }
  if (!least) return finding;
  finding.severity = Severity::warning;
  finding.found = fmt::format("{:.2f} CPUs' worth of time", *least);
  finding.mend = lifting("--cpu-quota=-1", "CPUQuota=");
  return finding;
}

Finding check_cpuset(const Tree& tree, const Machine& machine) {
  Finding finding{.id = "cpuset",
                  .severity = Severity::ok,
                  .found = "",
                  .wanted = "all CPUs, or more than there are reactors",
                  .mend = ""};
  const auto online = tree.cpus("/sys/devices/system/cpu/online");
  if (!online) return unread_finding(finding.id, finding.wanted, online.error());
  const CpuList kept_away = online->without(machine.reachable);
  finding.found = kept_away.empty()
                      ? fmt::format("all of {}", online->text())
                      : fmt::format("{} of {}", machine.reachable.text(), online->text());
  if (kept_away.empty() || machine.reachable.count() > machine.reactors) return finding;
  finding.severity = Severity::warning;
  finding.mend = lifting(fmt::format("--cpuset-cpus={}", online->text()),
                         fmt::format("AllowedCPUs={}", online->text()));
  return finding;
}

Finding check_memory_limit(const Tree& tree, const Machine& /*machine*/) {
  return check_number(tree, {.id = "memory_limit",
                             .wanted = "1 GiB or more: a member out of memory is killed",
                             .file = {.controller = "memory",
                                      .version_1 = "memory.limit_in_bytes",
                                      .version_2 = "memory.max"},
                             .enough = kMemoryWanted,
                             .unit = 1 << 20,
                             .unit_name = "MiB",
                             .mend = lifting("--memory=2g --memory-swap=2g", "MemoryMax=2G")});
}

Finding check_process_limit(const Tree& tree, const Machine& /*machine*/) {
  return check_number(
      tree, {.id = "process_limit",
             .wanted = fmt::format("{} or more threads and processes", kTasksWanted),
             .file = {.controller = "pids", .version_1 = "pids.max", .version_2 = "pids.max"},
             .enough = kTasksWanted,
             .unit = 1,
             .unit_name = "threads and processes",
             .mend = lifting("--pids-limit=1024", "TasksMax=1024")});
}

}  // namespace lockstep::doctor
