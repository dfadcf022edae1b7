#include <fmt/format.h>
#include <linux/io_uring.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "tools/doctor/system_probes.hpp"
#include "tools/node/descriptor.hpp"

namespace lockstep::doctor {

Trial try_io_uring() {
  io_uring_params parameters{};
  // What the tcp transport asks for, 6.1 and later; the call itself is what a filter forbids.
  parameters.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
  const long made = ::syscall(__NR_io_uring_setup, 4, &parameters);
  if (made >= 0) {
    const node::Descriptor ring(static_cast<int>(made));
    return {.works = true, .found = "allowed", .mend = ""};
  }
  const int error = errno;
  Trial trial{
      .works = false, .found = fmt::format("io_uring_setup: {}", std::strerror(error)), .mend = ""};
  switch (error) {
    case EINVAL:
      trial.found += ": this kernel is older than 6.1";
      trial.mend = "apt-get install linux-image-amd64 && reboot";
      break;
    case ENOMEM:
      trial.mend = "ulimit -l unlimited";
      break;
    case ENOSYS:
    case EPERM:
      trial.mend =
          "docker run --security-opt seccomp=PROFILE   # one that allows io_uring_setup, "
          "io_uring_enter, io_uring_register";
      break;
    default:
      trial.mend = "dmesg | tail";
  }
  return trial;
}

}  // namespace lockstep::doctor
