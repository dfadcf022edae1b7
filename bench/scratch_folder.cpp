#include "bench/scratch_folder.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

namespace lockstep::bench {

Expected<ScratchFolder> ScratchFolder::create() {
  std::error_code error;
  std::string parent = "/dev/shm";
  if (access(parent.c_str(), W_OK | X_OK) != 0) {
    parent = std::filesystem::temp_directory_path(error).string();
  }
  std::string path = parent + "/lockstep-bench-XXXXXX";
  if (!error && mkdtemp(path.data()) != nullptr) return ScratchFolder(path);
  return fail(ErrorCode::system, fmt::format("cannot make a folder in {}: {}", parent,
                                             error ? error.message() : std::strerror(errno)));
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
}

}  // namespace lockstep::bench
