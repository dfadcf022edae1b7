#pragma once

#include "tools/launch/child.hpp"

namespace lockstep::test {

using launch::Child;

}  // namespace lockstep::test
