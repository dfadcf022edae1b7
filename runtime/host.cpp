#include "runtime/host.hpp"

#include <unistd.h>

#include <fstream>

namespace lockstep::runtime {

std::string host_identity() {
  std::string id;
  if (std::getline(std::ifstream("/proc/sys/kernel/random/boot_id"), id) && !id.empty()) return id;
  char name[256] = {};
  ::gethostname(name, sizeof name - 1);
  return name;
}

}  // namespace lockstep::runtime
