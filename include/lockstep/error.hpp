#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "lockstep/export.hpp"

namespace lockstep {

/// What kind of operating error this is. Programs branch on it; people read `Error::message`.
enum class ErrorCode : std::uint8_t {
  invalid_argument,  ///< a value in code, on the command line or in a file is not allowed
  configuration,     ///< a configuration file or variable is wrong
  identity_in_use,   ///< another live process already is this member
  member_absent,     ///< a member did not appear before the join deadline
  member_lost,       ///< a member was there and is gone
  mismatch,          ///< two members disagree about version, layout or configuration
  oversubscribed,    ///< more spinning reactors than allowed CPUs
  no_memory,         ///< memory, locked memory or huge pages are not to be had
  input,             ///< an input file is malformed
  system,            ///< a system call failed
  not_supported,     ///< this machine or this build cannot do it
  timed_out,         ///< a deadline passed
  state_refused,     ///< the application cannot load the state that the group has
};

/// The word for `code`, as it appears in logs: "identity_in_use". Never null, never allocates.
LOCKSTEP_EXPORT std::string_view to_string(ErrorCode code) noexcept;

/// An operating error: a peer, the wire, a device, a file or a setting did not do what was asked.
///
/// `message` is one or two sentences that say what failed, on what, with which limit, and how to
/// mend it. Operating errors are values: the library never throws them and never exits. A broken
/// invariant is not an Error; it asserts, in every build.
struct Error {
  ErrorCode code = ErrorCode::system;
  std::string message;
};

/// A `T`, or the Error that explains why there is none.
template <class T>
using Expected = std::expected<T, Error>;

/// Shorthand for `std::unexpected(Error{code, message})`.
inline std::unexpected<Error> fail(ErrorCode code, std::string message) {
  return std::unexpected(Error{code, std::move(message)});
}

}  // namespace lockstep
