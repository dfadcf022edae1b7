#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>
#include <utility>

namespace lockstep::node {

/// Owns a file descriptor, or none.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int number) noexcept : number_(number) {}
  ~Descriptor() { reset(); }
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    reset();
    number_ = std::exchange(other.number_, -1);
    return *this;
  }

  [[nodiscard]] int get() const noexcept { return number_; }
  void reset() noexcept {
    if (number_ >= 0) ::close(std::exchange(number_, -1));
  }

 private:
  int number_ = -1;
};

/// Wakes a thread that polls `descriptor` (eventfd(2)). `ring` from any thread, the rest from one.
class Bell {
 public:
  [[nodiscard]] bool open() noexcept {
    event_ = Descriptor(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
    return event_.get() >= 0;
  }
  [[nodiscard]] int descriptor() const noexcept { return event_.get(); }
  void ring() const noexcept { ::eventfd_write(event_.get(), 1); }
  void reset() const noexcept {
    std::uint64_t rings = 0;
    ::eventfd_read(event_.get(), &rings);
  }

 private:
  Descriptor event_;
};

}  // namespace lockstep::node
