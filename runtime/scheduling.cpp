#include "runtime/scheduling.hpp"

#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace lockstep::runtime {
namespace {

/// sched_attr of sched_setattr(2), first version; the C library of Debian 12 does not declare it,
/// and the kernel's header does not go with the C library's.
struct SchedulingAttributes {
  std::uint32_t size;
  std::uint32_t policy;
  std::uint64_t flags;
  std::int32_t nice;
  std::uint32_t priority;
  std::uint64_t runtime_ns;  ///< of an ordinary thread: its time slice
  std::uint64_t deadline_ns;
  std::uint64_t period_ns;
};
static_assert(sizeof(SchedulingAttributes) == 48);

}  // namespace

bool ask_for_short_slices() noexcept {
  SchedulingAttributes attributes{};
  if (syscall(SYS_sched_getattr, 0, &attributes, sizeof attributes, 0) != 0) return false;
  // Only where nobody has chosen a policy; real-time threads have no slices to shorten.
  if (attributes.policy != SCHED_OTHER) return false;
  attributes.runtime_ns = kShortSliceNs;
  return syscall(SYS_sched_setattr, 0, &attributes, 0) == 0;
}

}  // namespace lockstep::runtime
