#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tools/doctor/tree.hpp"

namespace lockstep::doctor {

/// A limit's file in the two versions of cgroups (cgroups(7)).
struct LimitFile {
  std::string_view controller;  ///< of version 1: "cpu"
  std::string_view version_1;   ///< "cpu.cfs_quota_us"
  std::string_view version_2;   ///< "cpu.max"
};

/// One of a process's cgroups, or one above it, that has the file.
struct LimitReading {
  std::string folder;
  bool is_version_2 = false;
  Reading<std::string> text;
};

/// What the file says in this process's cgroup and in each above it, innermost first: all of them
/// bind. Cgroups without the file, and those that cannot be seen from inside a container, are left
/// out. Error: /proc/self/cgroup cannot be read or is not understood.
[[nodiscard]] Reading<std::vector<LimitReading>> read_limits(const Tree& tree,
                                                             const LimitFile& file);

}  // namespace lockstep::doctor
