#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "lockstep/error.hpp"

namespace lockstep::runtime {

/// A set of logical CPUs by the kernel's numbers. A plain value: members send theirs to each other.
class CpuSet {
 public:
  static constexpr std::uint32_t kMostCpus = 1'024;
  using Words = std::array<std::uint64_t, kMostCpus / 64>;

  CpuSet() = default;
  /// CPU n is bit n % 64 of word n / 64.
  explicit CpuSet(const Words& words) noexcept : words_(words) {}
  [[nodiscard]] const Words& words() const noexcept { return words_; }

  /// `cpu` is below kMostCpus.
  void add(std::uint32_t cpu) noexcept;
  [[nodiscard]] bool contains(std::uint32_t cpu) const noexcept;
  [[nodiscard]] std::uint32_t count() const noexcept;
  CpuSet& operator|=(const CpuSet& other) noexcept;
  bool operator==(const CpuSet&) const = default;

  /// As taskset(1) writes it: "0-3,8". Empty for the empty set.
  [[nodiscard]] std::string text() const;

 private:
  Words words_{};
};

/// The CPUs that this process may use: the calling thread's affinity mask, and what
/// `pin_this_thread` took away from threads of this process. Any thread; one system call.
/// Errors: not_supported (more than kMostCpus), system.
Expected<CpuSet> allowed_cpus();

/// Where a CPU is: its physical core and NUMA node, numbered from zero in the order of hwloc.
struct CpuPlace {
  std::uint32_t cpu = 0;
  std::uint32_t core = 0;
  std::uint32_t node = 0;
};

/// Picks `count` of `places`, fewer if there are not so many: distinct cores before siblings, and
/// from as few nodes as that allows.
[[nodiscard]] std::vector<std::uint32_t> pick_cores(std::span<const CpuPlace> places,
                                                    std::size_t count);

/// The same among the allowed CPUs of this machine. Cold path: the first call reads the topology.
/// Errors: oversubscribed (fewer are allowed), system.
Expected<std::vector<std::uint32_t>> pick_cores(std::size_t count);

/// Pins the calling thread to one CPU. Errors: configuration (not an allowed CPU; says which are).
Expected<void> pin_this_thread(std::int32_t cpu);

/// Moves whole pages of `memory` to the NUMA node of `cpu` and keeps them there. Memory that stays
/// elsewhere is slower, not wrong, so a refusal is only told: the notice, empty if all is well.
/// Nothing happens on a machine with one node, or where `cpu` is negative.
[[nodiscard]] std::string bind_memory(std::span<std::byte> memory, std::int32_t cpu);

}  // namespace lockstep::runtime
