#pragma once

#include <rte_lcore.h>

namespace lockstep::transports::dpdk {

/// DPDK keeps buffers at hand for threads that it knows. There may be too many of them; then it
/// goes on without, and slower.
class KnownThread {
 public:
  KnownThread() : known_(rte_thread_register() == 0) {}
  ~KnownThread() {
    if (known_) rte_thread_unregister();
  }
  KnownThread(const KnownThread&) = delete;
  KnownThread& operator=(const KnownThread&) = delete;

 private:
  bool known_;
};

}  // namespace lockstep::transports::dpdk
