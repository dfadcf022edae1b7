#pragma once

#include <string>
#include <string_view>

#include "lockstep/error.hpp"

namespace lockstep::launch {

/// Makes `path` hold `text`, or leaves it as it was: the text is written to a temporary file in the
/// same folder, brought to the disk, and renamed. What exists and is not a regular file (a pipe,
/// /dev/stdout) is written to directly.
///
/// Blocks on the file system. Errors: system (path, step and reason, a full disk among them; the
/// temporary file is removed).
Expected<void> write_whole(const std::string& path, std::string_view text);

}  // namespace lockstep::launch
