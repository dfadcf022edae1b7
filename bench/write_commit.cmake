# Writes OUTPUT, a header that names the commit of the source; only when it changes, so that a
# build without a new commit compiles nothing.
cmake_minimum_required(VERSION 3.25)
execute_process(COMMAND git describe --always --dirty --abbrev=12 WORKING_DIRECTORY ${SOURCE}
                OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET
                RESULT_VARIABLE failed)
if(failed)
  set(commit unknown)
endif()
file(CONFIGURE OUTPUT ${OUTPUT} @ONLY CONTENT
"#pragma once

namespace lockstep::bench {
inline constexpr const char* kCommit = \"@commit@\";
}  // namespace lockstep::bench
")
