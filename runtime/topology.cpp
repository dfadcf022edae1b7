#include "runtime/topology.hpp"

#include <fmt/format.h>
#include <hwloc.h>
#include <sched.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <numeric>
#include <type_traits>
#include <utility>

#include "runtime/assert.hpp"

namespace lockstep::runtime {
namespace {

static_assert(CpuSet::kMostCpus == CPU_SETSIZE);

using TopologyHandle =
    std::unique_ptr<std::remove_pointer_t<hwloc_topology_t>, decltype(&hwloc_topology_destroy)>;

TopologyHandle load_topology() {
  hwloc_topology_t raw = nullptr;
  if (hwloc_topology_init(&raw) != 0) return {nullptr, &hwloc_topology_destroy};
  TopologyHandle topology(raw, &hwloc_topology_destroy);
  if (hwloc_topology_load(raw) != 0) topology.reset();
  return topology;
}

/// This machine's, read once; null if it cannot be. hwloc allows concurrent readers.
hwloc_topology_t machine() {
  static const TopologyHandle topology = load_topology();
  return topology.get();
}

/// What threads of this process could use before pin_this_thread narrowed them.
struct BeforePinning {
  std::mutex mutex;
  CpuSet cpus;
};

BeforePinning& before_pinning() {
  static BeforePinning before;
  return before;
}

Expected<CpuSet> affinity_of_this_thread() {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  if (::sched_getaffinity(0, sizeof mask, &mask) != 0) {
    const int error = errno;
    if (error == EINVAL) {
      return fail(ErrorCode::not_supported,
                  fmt::format("this machine may have more than {} CPUs, which is the most that "
                              "Lockstep counts",
                              CpuSet::kMostCpus));
    }
    return fail(ErrorCode::system, fmt::format("sched_getaffinity: {}", std::strerror(error)));
  }
  CpuSet cpus;
  for (std::uint32_t cpu = 0; cpu < CpuSet::kMostCpus; ++cpu) {
    if (CPU_ISSET(cpu, &mask)) cpus.add(cpu);
  }
  return cpus;
}

/// Without a topology every CPU counts as a core of its own.
CpuPlace place_of(std::uint32_t cpu) {
  CpuPlace place{.cpu = cpu, .core = cpu, .node = 0};
  hwloc_topology_t topology = machine();
  if (topology == nullptr) return place;
  hwloc_obj_t unit = hwloc_get_pu_obj_by_os_index(topology, cpu);
  if (unit == nullptr) return place;
  hwloc_obj_t core = hwloc_get_ancestor_obj_by_type(topology, HWLOC_OBJ_CORE, unit);
  place.core = core != nullptr ? core->logical_index : unit->logical_index;
  const int node = hwloc_bitmap_first(unit->nodeset);
  if (node > 0) place.node = static_cast<std::uint32_t>(node);
  return place;
}

using CoreUnits = std::vector<std::vector<std::uint32_t>>;

/// The cores of each node with their CPUs, the node with the most cores first.
std::vector<CoreUnits> cores_by_node(std::span<const CpuPlace> places) {
  std::map<std::uint32_t, std::map<std::uint32_t, std::vector<std::uint32_t>>> nodes;
  for (const CpuPlace& place : places) nodes[place.node][place.core].push_back(place.cpu);
  std::vector<CoreUnits> result;
  for (const auto& [node, cores] : nodes) {
    CoreUnits units;
    for (const auto& [core, cpus] : cores) units.push_back(cpus);
    const auto smaller = std::ranges::find_if(
        result, [&](const CoreUnits& other) { return other.size() < units.size(); });
    result.insert(smaller, std::move(units));
  }
  return result;
}

}  // namespace

void CpuSet::add(std::uint32_t cpu) noexcept {
  LOCKSTEP_ASSERT(cpu < kMostCpus);
  words_[cpu / 64] |= std::uint64_t{1} << (cpu % 64);
}

bool CpuSet::contains(std::uint32_t cpu) const noexcept {
  return cpu < kMostCpus && (words_[cpu / 64] >> (cpu % 64) & 1) != 0;
}

std::uint32_t CpuSet::count() const noexcept {
  return std::accumulate(words_.begin(), words_.end(), 0U, [](std::uint32_t sum, std::uint64_t w) {
    return sum + static_cast<std::uint32_t>(std::popcount(w));
  });
}

CpuSet& CpuSet::operator|=(const CpuSet& other) noexcept {
  for (std::size_t i = 0; i < words_.size(); ++i) words_[i] |= other.words_[i];
  return *this;
}

std::string CpuSet::text() const {
  std::string result;
  for (std::uint32_t cpu = 0; cpu < kMostCpus; ++cpu) {
    if (!contains(cpu)) continue;
    std::uint32_t last = cpu;
    while (contains(last + 1)) ++last;
    result += fmt::format("{}{}", result.empty() ? "" : ",", cpu);
    if (last > cpu) result += fmt::format("-{}", last);
    cpu = last;
  }
  return result;
}

Expected<CpuSet> allowed_cpus() {
  auto cpus = affinity_of_this_thread();
  if (!cpus) return cpus;
  BeforePinning& before = before_pinning();
  const std::lock_guard lock(before.mutex);
  *cpus |= before.cpus;
  return cpus;
}

std::vector<std::uint32_t> pick_cores(std::span<const CpuPlace> places, std::size_t count) {
  const std::vector<CoreUnits> nodes = cores_by_node(places);
  std::vector<std::uint32_t> picked;
  const std::size_t wanted = std::min(count, places.size());
  // Round k takes the k-th CPU of every core: no sibling before each core has given one.
  for (std::size_t round = 0; picked.size() < wanted; ++round) {
    for (const CoreUnits& cores : nodes) {
      for (const auto& cpus : cores) {
        if (round < cpus.size() && picked.size() < wanted) picked.push_back(cpus[round]);
      }
    }
  }
  return picked;
}

Expected<std::vector<std::uint32_t>> pick_cores(std::size_t count) {
  const auto allowed = allowed_cpus();
  if (!allowed) return std::unexpected(allowed.error());
  if (count > allowed->count()) {
    return fail(ErrorCode::oversubscribed,
                fmt::format("{} CPUs are wanted and {} are allowed ({}); allow more (taskset, "
                            "cpuset) or want fewer",
                            count, allowed->count(), allowed->text()));
  }
  std::vector<CpuPlace> places;
  for (std::uint32_t cpu = 0; cpu < CpuSet::kMostCpus; ++cpu) {
    if (allowed->contains(cpu)) places.push_back(place_of(cpu));
  }
  return pick_cores(places, count);
}

Expected<void> pin_this_thread(std::int32_t cpu) {
  const auto allowed = allowed_cpus();
  if (!allowed) return std::unexpected(allowed.error());
  if (cpu < 0 || !allowed->contains(static_cast<std::uint32_t>(cpu))) {
    return fail(ErrorCode::configuration,
                fmt::format("CPU {} is not one this process may use: {}; set reactor.core to one "
                            "of them, or to -1",
                            cpu, allowed->text()));
  }
  cpu_set_t mask;
  CPU_ZERO(&mask);
  CPU_SET(static_cast<unsigned>(cpu), &mask);
  if (::sched_setaffinity(0, sizeof mask, &mask) != 0) {
    return fail(ErrorCode::system, fmt::format("pinning to CPU {} (sched_setaffinity): {}", cpu,
                                               std::strerror(errno)));
  }
  BeforePinning& before = before_pinning();
  const std::lock_guard lock(before.mutex);
  before.cpus |= *allowed;
  return {};
}

std::string bind_memory(std::span<std::byte> memory, std::int32_t cpu) {
  hwloc_topology_t topology = machine();
  if (cpu < 0 || topology == nullptr || memory.empty()) return {};
  if (hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_NUMANODE) < 2) return {};
  hwloc_obj_t unit = hwloc_get_pu_obj_by_os_index(topology, static_cast<unsigned>(cpu));
  if (unit == nullptr) return fmt::format("memory is not bound: CPU {} has no NUMA node", cpu);
  // Pages were populated when the block was made, so they have to move.
  constexpr int kFlags = HWLOC_MEMBIND_BYNODESET | HWLOC_MEMBIND_MIGRATE;
  if (hwloc_set_area_membind(topology, memory.data(), memory.size(), unit->nodeset,
                             HWLOC_MEMBIND_BIND, kFlags) == 0) {
    return {};
  }
  return fmt::format("{} bytes of memory are not bound to the NUMA node of CPU {}: {}",
                     memory.size(), cpu, std::strerror(errno));
}

}  // namespace lockstep::runtime
