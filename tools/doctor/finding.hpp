#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace lockstep::doctor {

/// How much a finding matters, worst last.
enum class Severity : std::uint8_t {
  ok,       ///< as wanted
  note,     ///< costs nothing by itself; good to know, or to change for the last microsecond
  warning,  ///< costs latency, or will when the machine is busy
  error,    ///< what was asked for cannot run
};

/// The word for `severity`: "warning". Never null.
[[nodiscard]] std::string_view to_string(Severity severity) noexcept;

/// What one check found out about this machine.
struct Finding {
  std::string id;  ///< the check's name, stable: programs look for it
  Severity severity = Severity::ok;
  std::string found;
  std::string wanted;
  std::string mend;  ///< the command that mends it, and where it must run; empty only if ok
};

}  // namespace lockstep::doctor
