#include <fmt/format.h>
#include <linux/capability.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "tools/doctor/checks.hpp"

namespace lockstep::doctor {
namespace {

/// Three members on one host with rings of 1 MiB (the default) take 2 x (1 MiB + 128) for each
/// peer, 3 pages, and a ring each; the rest is for DPDK's pools and larger rings.
constexpr std::int64_t kPagesWanted = 64;
constexpr std::int64_t kPageKib = 2'048;
/// Rings and regions of a few peers, and the driver's queues.
constexpr std::uint64_t kLockedBytesWanted = 256ULL << 20;

/// "hugepages-2048kB" is 2048.
std::optional<std::int64_t> page_kib(std::string_view folder) {
  constexpr std::string_view kPrefix = "hugepages-";
  if (!folder.starts_with(kPrefix) || !folder.ends_with("kB")) return std::nullopt;
  folder = folder.substr(kPrefix.size(), folder.size() - kPrefix.size() - 2);
  std::int64_t kib = 0;
  const auto parsed = std::from_chars(folder.data(), folder.data() + folder.size(), kib);
  if (parsed.ec != std::errc() || kib <= 0) return std::nullopt;
  return kib;
}

std::string size_text(std::int64_t kib) {
  return kib >= 1'048'576 ? fmt::format("{} GiB", kib / 1'048'576)
                          : fmt::format("{} MiB", kib / 1'024);
}

/// The soft limit in the line "Max locked memory  SOFT  HARD  bytes" of /proc/self/limits.
Reading<std::optional<std::uint64_t>> locked_limit(const Tree& tree) {
  const std::string path = "/proc/self/limits";
  const auto text = tree.text(path);
  if (!text) return std::unexpected(text.error());
  constexpr std::string_view kLine = "Max locked memory";
  const std::size_t at = text->find(kLine);
  std::string_view rest = at == std::string::npos ? "" : std::string_view(*text).substr(at);
  rest.remove_prefix(std::min(rest.size(), kLine.size()));
  rest.remove_prefix(std::min(rest.size(), rest.find_first_not_of(' ')));
  const std::string_view soft = rest.substr(0, rest.find_first_of(" \n"));
  if (soft == "unlimited") return std::nullopt;
  std::uint64_t bytes = 0;
  const auto parsed = std::from_chars(soft.data(), soft.data() + soft.size(), bytes);
  if (soft.empty() || parsed.ec != std::errc() || parsed.ptr != soft.data() + soft.size()) {
    return std::unexpected(malformed(path, soft, "a file with 'Max locked memory'"));
  }
  return bytes;
}

}  // namespace

Finding check_huge_pages(const Tree& tree, const Machine& machine) {
  const std::string root = "/sys/kernel/mm/hugepages/";
  Finding finding{.id = "huge_pages",
                  .severity = Severity::ok,
                  .found = "",
                  .wanted = fmt::format("{} free pages of 2 MiB", kPagesWanted),
                  .mend = ""};
  std::int64_t free_of_2_mib = 0;
  for (const std::string& folder : tree.names(root)) {
    const auto kib = page_kib(folder);
    if (!kib) continue;
    const auto free = tree.number(root + folder + "/free_hugepages");
    if (!free) return unread_finding(finding.id, finding.wanted, free.error());
    const auto all = tree.number(root + folder + "/nr_hugepages");
    if (!all) return unread_finding(finding.id, finding.wanted, all.error());
    if (*kib == kPageKib) free_of_2_mib = *free;
    finding.found += fmt::format("{}{} of {} free of {}", finding.found.empty() ? "" : ", ", *free,
                                 *all, size_text(*kib));
  }
  if (free_of_2_mib >= kPagesWanted) return finding;
  finding.severity = Severity::warning;
  finding.mend = on_kernel(machine, "sysctl -w vm.nr_hugepages=512");
  if (finding.found.empty()) {
    finding.found = "this kernel has none";
    finding.mend = "grep HUGETLBFS /boot/config-*   # boot a kernel with CONFIG_HUGETLBFS=y";
  }
  return finding;
}

Finding check_transparent_huge_pages(const Tree& tree, const Machine& machine) {
  const std::string path = "/sys/kernel/mm/transparent_hugepage/enabled";
  Finding finding{.id = "transparent_huge_pages",
                  .severity = Severity::ok,
                  .found = "this kernel has none",
                  .wanted = "madvise or never: merging pages stalls whoever touches them",
                  .mend = ""};
  const auto text = tree.text(path);
  if (!text && text.error().why == Unread::Why::absent) return finding;
  if (!text) return unread_finding(finding.id, finding.wanted, text.error());
  for (const std::string_view chosen : {"always", "madvise", "never"}) {
    if (!text->contains(fmt::format("[{}]", chosen))) continue;
    finding.found = chosen;
    if (chosen != "always") return finding;
    finding.severity = Severity::warning;
    finding.mend = on_kernel(machine, fmt::format("echo never > {}", path));
    return finding;
  }
  return unread_finding(finding.id, finding.wanted,
                        malformed(path, *text, "a choice like 'always [madvise] never'"));
}

Finding check_locked_memory(const Tree& tree, const Machine& machine) {
  Finding finding{.id = "locked_memory",
                  .severity = Severity::ok,
                  .found = "no limit",
                  .wanted = "no limit: what an RDMA device reads or writes is locked",
                  .mend = ""};
  const auto limit = locked_limit(tree);
  if (!limit) return unread_finding(finding.id, finding.wanted, limit.error());
  if (!*limit) return finding;
  finding.found = fmt::format("{} KiB", **limit / 1'024);
  if (machine.may(CAP_IPC_LOCK)) {
    finding.found += ", which does not bind who has CAP_IPC_LOCK";
    return finding;
  }
  finding.severity = **limit < kLockedBytesWanted ? Severity::warning : Severity::note;
  finding.mend =
      "echo '* - memlock unlimited' > /etc/security/limits.d/60-lockstep.conf, and log in again; "
      "a service: LimitMEMLOCK=infinity; a container: docker run --ulimit memlock=-1";
  return finding;
}

Finding check_numa_balancing(const Tree& tree, const Machine& machine) {
  Finding finding{.id = "numa_balancing",
                  .severity = Severity::ok,
                  .found = "off",
                  .wanted = "off: it takes pages away to see who misses them",
                  .mend = ""};
  const auto balancing = tree.number("/proc/sys/kernel/numa_balancing");
  if (!balancing && balancing.error().why == Unread::Why::absent) {
    finding.found = "this kernel has none";
    return finding;
  }
  if (!balancing) return unread_finding(finding.id, finding.wanted, balancing.error());
  if (*balancing == 0) return finding;
  finding.severity = Severity::warning;
  finding.found = fmt::format("on ({})", *balancing);
  finding.mend = on_kernel(machine, "sysctl -w kernel.numa_balancing=0");
  return finding;
}

}  // namespace lockstep::doctor
