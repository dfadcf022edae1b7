#include "bench/whole_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace lockstep::bench {
namespace {

std::unexpected<Error> failed(const std::string& path, const char* step, int reason) {
  const char* mend = reason == ENOSPC || reason == EDQUOT ? "; free space there" : "";
  return fail(ErrorCode::system,
              fmt::format("cannot write {}: {}: {}{}", path, step, std::strerror(reason), mend));
}

/// Writes everything and closes, whatever happens.
Expected<void> write_and_close(int descriptor, const std::string& path, std::string_view text,
                               bool sync) {
  const char* step = "write";
  int reason = 0;
  while (!text.empty() && reason == 0) {
    const ssize_t written = write(descriptor, text.data(), text.size());
    if (written >= 0) {
      text.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno != EINTR) {
      reason = errno;
    }
  }
  if (reason == 0 && sync && fsync(descriptor) != 0) {
    step = "fsync";
    reason = errno;
  }
  if (close(descriptor) != 0 && reason == 0) {
    step = "close";
    reason = errno;
  }
  if (reason != 0) return failed(path, step, reason);
  return {};
}

}  // namespace

Expected<void> write_whole_file(const std::string& path, std::string_view text) {
  struct stat found{};
  const bool in_place = stat(path.c_str(), &found) == 0 && !S_ISREG(found.st_mode);
  if (in_place) {
    const int descriptor = open(path.c_str(), O_WRONLY | O_CLOEXEC);
    if (descriptor < 0) return failed(path, "open", errno);
    return write_and_close(descriptor, path, text, false);
  }
  const std::string beside = fmt::format("{}.{}.part", path, getpid());
  const int descriptor = open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (descriptor < 0) return failed(path, "create a file beside it", errno);
  auto written = write_and_close(descriptor, path, text, true);
  if (written && std::rename(beside.c_str(), path.c_str()) != 0) {
    written = failed(path, "rename", errno);
  }
  if (!written) unlink(beside.c_str());
  return written;
}

}  // namespace lockstep::bench
