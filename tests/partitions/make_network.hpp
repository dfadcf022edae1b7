#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <utility>

#include "tests/partitions/partitions.hpp"

namespace lockstep::test {

/// Makes the `network` of a test; the test is skipped where the platform allows none, and has
/// failed where it could not be made. Look at `network` before going on.
inline void make_network(std::uint32_t members, std::optional<Partitions>& network) {
  auto made = Partitions::create(members);
  if (!made && made.error().code == ErrorCode::not_supported) {
    GTEST_SKIP() << "platform limit: " << made.error().message;
  }
  ASSERT_TRUE(made) << made.error().message;
  network.emplace(std::move(*made));
}

}  // namespace lockstep::test
