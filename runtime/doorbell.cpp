#include "runtime/doorbell.hpp"

#include <fmt/format.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace lockstep::runtime {

Expected<Doorbell> Doorbell::create() {
  Doorbell bell;
  bell.descriptor_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (bell.descriptor_ < 0) {
    return fail(ErrorCode::system,
                fmt::format("cannot make a doorbell (eventfd): {}; raise the limit of open files "
                            "(ulimit -n) if it is reached",
                            std::strerror(errno)));
  }
  return bell;
}

Doorbell::~Doorbell() {
  if (descriptor_ >= 0) close(descriptor_);
}

Doorbell& Doorbell::operator=(Doorbell&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

void Doorbell::ring_descriptor(int descriptor) noexcept {
  const std::uint64_t one = 1;
  // EAGAIN: rung 2^64 - 2 times already, so it is ringing. Anything else: the sleeper wakes at its
  // deadline and finds what it missed.
  [[maybe_unused]] const auto written = write(descriptor, &one, sizeof one);
}

void Doorbell::reset() const noexcept {
  std::uint64_t rings = 0;
  [[maybe_unused]] const auto got = read(descriptor_, &rings, sizeof rings);
}

}  // namespace lockstep::runtime
