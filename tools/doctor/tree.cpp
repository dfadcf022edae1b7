#include "tools/doctor/tree.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>

namespace lockstep::doctor {
namespace {

constexpr std::size_t kMostExcerpt = 60;

bool is_kernel_name(std::string_view name) {
  return !name.empty() && name.front() != '-' && std::ranges::all_of(name, [](char letter) {
    return std::isalnum(static_cast<unsigned char>(letter)) != 0 ||
           std::string_view("._:@+-").contains(letter);
  });
}

bool is_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

bool in_order(const std::string& left, const std::string& right) {
  const bool by_value = is_number(left) && is_number(right) && left.size() != right.size();
  return by_value ? left.size() < right.size() : left < right;
}

Unread unreadable(const std::string& path, int error) {
  const bool absent = error == ENOENT || error == ENOTDIR;
  return {.why = absent ? Unread::Why::absent : Unread::Why::unreadable,
          .path = path,
          .text = fmt::format("{}: {}", path, std::strerror(error))};
}

/// Reads to the end of the file or to kMostBytes. errno says why when it fails.
bool read_all(int descriptor, std::string& into) {
  std::array<char, 16'384> buffer;
  while (into.size() <= Tree::kMostBytes) {
    const ssize_t got = ::read(descriptor, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return false;
    if (got == 0) return true;
    into.append(buffer.data(), static_cast<std::size_t>(got));
  }
  errno = EFBIG;
  return false;
}

}  // namespace

bool Tree::has(const std::string& path) const {
  return ::access((root_ + path).c_str(), F_OK) == 0;
}

Reading<std::string> Tree::text(const std::string& path) const {
  // Not blocking: a fixture may hold a pipe where the kernel has a file.
  const int descriptor = ::open((root_ + path).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) return std::unexpected(unreadable(path, errno));
  struct stat status = {};
  int error = ::fstat(descriptor, &status) == 0 ? 0 : errno;
  if (error == 0 && !S_ISREG(status.st_mode)) error = S_ISDIR(status.st_mode) ? EISDIR : EINVAL;
  std::string text;
  if (error == 0 && !read_all(descriptor, text)) error = errno;
  ::close(descriptor);
  if (error != 0) return std::unexpected(unreadable(path, error));
  text.erase(text.find_last_not_of(" \t\r\n") + 1);
  return text;
}

Reading<std::int64_t> Tree::number(const std::string& path) const {
  const auto text = this->text(path);
  if (!text) return std::unexpected(text.error());
  std::int64_t number = 0;
  const char* end = text->data() + text->size();
  const auto parsed = std::from_chars(text->data(), end, number);
  if (parsed.ec != std::errc() || parsed.ptr != end) {
    return std::unexpected(malformed(path, *text, "a number"));
  }
  return number;
}

Reading<CpuList> Tree::cpus(const std::string& path) const {
  const auto text = this->text(path);
  if (!text) return std::unexpected(text.error());
  auto list = CpuList::parse(*text);
  if (!list) return std::unexpected(malformed(path, *text, "a list of CPUs"));
  return std::move(*list);
}

std::vector<std::string> Tree::names(const std::string& folder) const {
  std::vector<std::string> names;
  std::error_code error;
  std::filesystem::directory_iterator entry(root_ + folder, error);
  while (!error && entry != std::filesystem::directory_iterator() && names.size() < kMostNames) {
    std::string name = entry->path().filename().string();
    if (is_kernel_name(name)) names.push_back(std::move(name));
    entry.increment(error);
  }
  std::ranges::sort(names, in_order);
  return names;
}

std::string Tree::link_name(const std::string& path) const {
  std::error_code error;
  const std::string name = std::filesystem::read_symlink(root_ + path, error).filename().string();
  return !error && is_kernel_name(name) ? name : "";
}

std::string excerpt(std::string_view text) {
  std::string shown(text.substr(0, kMostExcerpt));
  std::ranges::replace_if(shown, [](char letter) { return letter < ' ' || letter > '~'; }, '?');
  if (text.size() > kMostExcerpt) shown += "...";
  return shown;
}

Unread malformed(const std::string& path, std::string_view text, std::string_view expected) {
  return {.why = Unread::Why::malformed,
          .path = path,
          .text = text.empty() ? fmt::format("{} is empty, not {}", path, expected)
                               : fmt::format("{} is not {}: {}", path, expected, excerpt(text))};
}

Finding unread_finding(std::string id, std::string wanted, const Unread& unread) {
  const bool forbidden = unread.why == Unread::Why::unreadable;
  return {.id = std::move(id),
          .severity = Severity::note,
          .found = fmt::format("unknown; {}", unread.text),
          .wanted = std::move(wanted),
          .mend = fmt::format("{} {}", forbidden ? "ls -l" : "cat", unread.path)};
}

}  // namespace lockstep::doctor
