#include "tools/doctor/cgroup.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <climits>
#include <optional>
#include <ranges>

namespace lockstep::doctor {
namespace {

const std::string kMemberships = "/proc/self/cgroup";
const std::string kMount = "/sys/fs/cgroup";
/// More levels than anybody nests; a path from a broken file may have thousands.
constexpr int kMostLevels = 32;

/// What a file may be called in a command without quotes, within the kernel's longest path and
/// this hierarchy.
bool is_plain(std::string_view path) {
  return path.size() < PATH_MAX && !path.contains("..") &&
         std::ranges::all_of(
             path,
             [](char letter) {
               return std::isalnum(static_cast<unsigned char>(letter)) != 0 ||
                      std::string_view("._:@+-=,/\\").contains(letter);
             });
}

/// A line "ID:CONTROLLERS:PATH"; version 2 has the ID 0 and no controllers.
struct Membership {
  std::string_view controllers;
  std::string_view path;
};

std::optional<Membership> parse_membership(std::string_view line) {
  const std::size_t first = line.find(':');
  const std::size_t second = first == line.npos ? line.npos : line.find(':', first + 1);
  if (second == line.npos || !line.substr(second + 1).starts_with('/')) return std::nullopt;
  const std::string_view controllers = line.substr(first + 1, second - first - 1);
  const std::string_view path = line.substr(second + 1);
  if (!is_plain(controllers) || !is_plain(path)) return std::nullopt;
  return Membership{controllers, path};
}

bool has_controller(std::string_view list, std::string_view controller) {
  return fmt::format(",{},", list).contains(fmt::format(",{},", controller));
}

/// Where the hierarchy of a membership is mounted; hybrid systems have version 2 aside.
std::string mount_of(const Tree& tree, const Membership& membership) {
  if (!membership.controllers.empty()) return fmt::format("{}/{}", kMount, membership.controllers);
  const std::string aside = kMount + "/unified";
  return tree.has(aside) ? aside : kMount;
}

void add_limits(const Tree& tree, const std::string& mount, std::string_view path,
                std::string_view file, bool is_version_2, std::vector<LimitReading>& into) {
  for (int level = 0; level < kMostLevels; ++level) {
    while (path.ends_with('/')) path.remove_suffix(1);
    const std::string folder = fmt::format("{}{}", mount, path);
    auto text = tree.text(fmt::format("{}/{}", folder, file));
    if (text || text.error().why != Unread::Why::absent) {
      into.push_back({.folder = folder, .is_version_2 = is_version_2, .text = std::move(text)});
    }
    if (path.empty()) return;
    path = path.substr(0, path.rfind('/'));
  }
}

}  // namespace

Reading<std::vector<LimitReading>> read_limits(const Tree& tree, const LimitFile& file) {
  const auto text = tree.text(kMemberships);
  if (!text) return std::unexpected(text.error());
  std::vector<LimitReading> limits;
  bool understood = false;
  for (const auto part : std::views::split(*text, '\n')) {
    const auto membership = parse_membership(std::string_view(part.begin(), part.end()));
    if (!membership) continue;
    understood = true;
    const bool is_version_2 = membership->controllers.empty();
    if (!is_version_2 && !has_controller(membership->controllers, file.controller)) continue;
    add_limits(tree, mount_of(tree, *membership), membership->path,
               is_version_2 ? file.version_2 : file.version_1, is_version_2, limits);
  }
  if (!understood) return std::unexpected(malformed(kMemberships, *text, "a list of cgroups"));
  return limits;
}

}  // namespace lockstep::doctor
