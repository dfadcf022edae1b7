#pragma once

#include <string>
#include <utility>

#include "lockstep/error.hpp"

namespace lockstep::bench {

/// A folder in memory (/dev/shm; else where temporary files go) that is gone, with all in it, when
/// this ends.
class ScratchFolder {
 public:
  /// Errors: system.
  static Expected<ScratchFolder> create();

  ScratchFolder(ScratchFolder&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  ScratchFolder& operator=(ScratchFolder&&) = delete;
  ~ScratchFolder();

  [[nodiscard]] const std::string& path() const noexcept { return path_; }

 private:
  explicit ScratchFolder(std::string path) : path_(std::move(path)) {}

  std::string path_;
};

}  // namespace lockstep::bench
