#pragma once

#include <string>
#include <string_view>

#include "lockstep/error.hpp"

namespace lockstep::bench {

/// Writes `text` to `path` so that a reader finds either all of it or what was there before.
///
/// A regular or absent file is written beside itself, forced to disk with fsync(2) and renamed
/// into place (POSIX rename is atomic); a failure removes what was begun. What exists and is no
/// regular file (a terminal, a pipe, a device) is written to directly: renaming would replace it.
/// Blocks on the file system. Errors: system, naming the path, the step and the reason.
Expected<void> write_whole_file(const std::string& path, std::string_view text);

}  // namespace lockstep::bench
