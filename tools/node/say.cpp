#include "tools/node/say.hpp"

#include <cstdio>

namespace lockstep::node {

void say(const std::string& line) {
  const std::string whole = line + "\n";
  std::fwrite(whole.data(), 1, whole.size(), stdout);
  std::fflush(stdout);
}

}  // namespace lockstep::node
