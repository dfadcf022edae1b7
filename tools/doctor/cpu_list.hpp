#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep::doctor {

/// A set of CPUs in the kernel's own notation, "0-3,8" (cpuset(7), List format). A plain value.
class CpuList {
 public:
  /// Numbers from here on are no CPUs of any kernel (CONFIG_NR_CPUS is 8192 at most).
  static constexpr std::uint32_t kPastCpus = 8'192;

  CpuList() = default;
  /// Nothing but a list in that notation is one: no signs, no reversed ranges, no number from
  /// kPastCpus on. The empty text and "(null)", which some kernels print for it, are the empty set.
  static std::optional<CpuList> parse(std::string_view text);

  void add(std::uint32_t cpu);
  [[nodiscard]] bool contains(std::uint32_t cpu) const;
  [[nodiscard]] bool contains_all_of(const CpuList& others) const;
  [[nodiscard]] CpuList common_with(const CpuList& others) const;
  [[nodiscard]] CpuList without(const CpuList& others) const;
  /// In ascending order.
  [[nodiscard]] std::vector<std::uint32_t> cpus() const;
  [[nodiscard]] std::size_t count() const { return cpus().size(); }
  [[nodiscard]] bool empty() const { return count() == 0; }
  /// The same notation again; empty for the empty set.
  [[nodiscard]] std::string text() const;
  bool operator==(const CpuList&) const = default;

 private:
  std::vector<bool> has_ = std::vector<bool>(kPastCpus);
};

}  // namespace lockstep::doctor
