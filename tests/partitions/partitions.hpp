#pragma once

#include "tests/partitions/child.hpp"
#include "tests/partitions/network_namespace.hpp"
#include "tools/launch/partitions.hpp"

namespace lockstep::test {

using launch::IpVersion;
using launch::Partitions;

}  // namespace lockstep::test
