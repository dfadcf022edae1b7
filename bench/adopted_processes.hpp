#pragma once

namespace lockstep::bench {

/// While it lives, whoever is orphaned among this process's descendants becomes its child; when it
/// ends, it has waited until they are all gone: daemons that a killed peer had started and that the
/// kernel ends with it. Make it while this process has no children of its own but those that end
/// before it does.
class AdoptedProcesses {
 public:
  AdoptedProcesses() noexcept;
  ~AdoptedProcesses();
  AdoptedProcesses(const AdoptedProcesses&) = delete;
  AdoptedProcesses& operator=(const AdoptedProcesses&) = delete;
};

}  // namespace lockstep::bench
