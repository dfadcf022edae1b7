#pragma once

#include <string>
#include <vector>

namespace lockstep::doctor {

/// What came of really trying something.
struct Trial {
  bool works = false;
  std::string found;  ///< what worked, or what failed and why
  std::string mend;   ///< empty if it works
};

/// What cannot be read and must be tried. A test gives answers of its own.
class Probes {
 public:
  virtual ~Probes() = default;
  virtual Trial io_uring() = 0;
  virtual Trial shm() = 0;
  virtual Trial tcp() = 0;
  virtual Trial udp() = 0;
  virtual Trial verbs() = 0;
  virtual Trial dpdk_plugin() = 0;
};

}  // namespace lockstep::doctor
