#pragma once

#include <memory>

#include "lockstep/error.hpp"
#include "tools/node/application.hpp"
#include "tools/node/node_config.hpp"

namespace lockstep::node {

/// The application that `config` names, with nothing in it. Errors: no_memory.
Expected<std::unique_ptr<Application>> make_application(const NodeConfig& config);

}  // namespace lockstep::node
