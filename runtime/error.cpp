#include "lockstep/error.hpp"

namespace lockstep {

std::string_view to_string(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::invalid_argument:
      return "invalid_argument";
    case ErrorCode::configuration:
      return "configuration";
    case ErrorCode::identity_in_use:
      return "identity_in_use";
    case ErrorCode::member_absent:
      return "member_absent";
    case ErrorCode::member_lost:
      return "member_lost";
    case ErrorCode::mismatch:
      return "mismatch";
    case ErrorCode::oversubscribed:
      return "oversubscribed";
    case ErrorCode::no_memory:
      return "no_memory";
    case ErrorCode::input:
      return "input";
    case ErrorCode::system:
      return "system";
    case ErrorCode::not_supported:
      return "not_supported";
    case ErrorCode::timed_out:
      return "timed_out";
    case ErrorCode::state_refused:
      return "state_refused";
  }
  return "unknown";
}

}  // namespace lockstep
