#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "tools/doctor/cpu_list.hpp"
#include "tools/doctor/finding.hpp"

namespace lockstep::doctor {

/// Why a file of the tree says nothing.
struct Unread {
  enum class Why : std::uint8_t {
    absent,      ///< this kernel or this machine does not have it
    unreadable,  ///< it is there and cannot be read by this user
    malformed,   ///< what it holds is not understood
  };
  Why why = Why::absent;
  std::string path;
  std::string text;  ///< for people, complete: "/proc/x: permission denied"
};

template <class T>
using Reading = std::expected<T, Unread>;

/// /proc and /sys of this machine, or of a copy of theirs below another folder. What is read is
/// distrusted: sizes are bounded, nothing but regular files is opened, and a reading is a value or
/// the reason why there is none. Blocks on the file system, keeps nothing open.
class Tree {
 public:
  /// No file of interest is longer: /proc/interrupts with 512 CPUs has 1 MB.
  static constexpr std::size_t kMostBytes = 4 << 20;
  static constexpr std::size_t kMostNames = 16'384;

  /// `root` is put before each path: "" is this machine.
  explicit Tree(std::string root = "") : root_(std::move(root)) {}

  [[nodiscard]] bool is_this_machine() const { return root_.empty(); }
  [[nodiscard]] bool has(const std::string& path) const;
  /// The text of a file without the white space at its end.
  [[nodiscard]] Reading<std::string> text(const std::string& path) const;
  [[nodiscard]] Reading<std::int64_t> number(const std::string& path) const;
  [[nodiscard]] Reading<CpuList> cpus(const std::string& path) const;
  /// What is in a folder, sorted; numbers by value. Names that no kernel makes (spaces, quotes) are
  /// left out, since commands are made of them. No such folder: empty.
  [[nodiscard]] std::vector<std::string> names(const std::string& folder) const;
  /// The last part of what a symbolic link points at ("vfio-pci"); empty if it is none.
  [[nodiscard]] std::string link_name(const std::string& path) const;

 private:
  std::string root_;
};

/// At most 60 characters of `text`, all printable, for a finding.
[[nodiscard]] std::string excerpt(std::string_view text);

/// `path` holds `text`, which is not what `expected` says: "a list of CPUs".
[[nodiscard]] Unread malformed(const std::string& path, std::string_view text,
                               std::string_view expected);

/// The finding of a check that could not read what it needs. Absent things are told as `absent`.
[[nodiscard]] Finding unread_finding(std::string id, std::string wanted, const Unread& unread);

}  // namespace lockstep::doctor
