#include "transports/hello/secret.hpp"

#include <sodium.h>

namespace lockstep::transports {

Secret::~Secret() { sodium_memzero(bytes_.data(), bytes_.size()); }

}  // namespace lockstep::transports
