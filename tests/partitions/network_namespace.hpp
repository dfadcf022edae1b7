#pragma once

#include "tools/launch/network_namespace.hpp"

namespace lockstep::test {

using launch::NetworkNamespace;

}  // namespace lockstep::test
