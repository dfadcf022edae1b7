#include "tools/launch/whole_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace lockstep::launch {
namespace {

std::unexpected<Error> failed(const std::string& path, const char* step, int reason) {
  const char* mend = reason == ENOSPC || reason == EDQUOT || reason == EFBIG
                         ? "; free some space or name another file"
                         : "";
  return fail(ErrorCode::system,
              fmt::format("{}: {}: {}{}", path, step, std::strerror(reason), mend));
}

Expected<void> write_all(int descriptor, const std::string& path, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(descriptor, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return failed(path, "cannot write", errno);
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

/// Closes in any case. Some file systems report a full disk only here.
Expected<void> write_and_close(int descriptor, const std::string& path, std::string_view text,
                               bool sync) {
  auto result = write_all(descriptor, path, text);
  if (result && sync && fsync(descriptor) != 0) result = failed(path, "cannot sync", errno);
  if (close(descriptor) != 0 && result) result = failed(path, "cannot close", errno);
  return result;
}

}  // namespace

Expected<void> write_whole(const std::string& path, std::string_view text) {
  struct stat status = {};
  if (stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode)) {
    const int descriptor = open(path.c_str(), O_WRONLY | O_CLOEXEC);
    if (descriptor < 0) return failed(path, "cannot open for writing", errno);
    return write_and_close(descriptor, path, text, false);
  }
  const std::string temporary = fmt::format("{}.{}.tmp", path, getpid());
  const int descriptor = open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
                              S_IRUSR | S_IWUSR | S_IRGRP | S_IROTH);
  if (descriptor < 0) return failed(temporary, "cannot create", errno);
  auto result = write_and_close(descriptor, temporary, text, true);
  if (result && std::rename(temporary.c_str(), path.c_str()) != 0) {
    result = failed(path, "cannot rename the finished file to this", errno);
  }
  if (!result) unlink(temporary.c_str());
  return result;
}

}  // namespace lockstep::launch
