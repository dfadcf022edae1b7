#pragma once

#include <string>

#include "transports/hello/group_key.hpp"

namespace lockstep::transports {

/// A key for tests: `digit` 64 times. Different digits, different keys.
inline GroupKey test_key(char digit = '1') {
  return GroupKey::from_hex(std::string(2 * GroupKey::kBytes, digit)).value();
}

}  // namespace lockstep::transports
