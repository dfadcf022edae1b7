#pragma once

#include <fmt/format.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <span>
#include <type_traits>
#include <utility>

#include "lockstep/error.hpp"

namespace lockstep::launch {

/// A zeroed array that a process and the children it forks afterwards see as one: for results.
///
/// Anonymous shared memory (mmap(2) MAP_SHARED | MAP_ANONYMOUS): nothing is left behind by a crash.
/// Elements start as zero bytes, no constructor runs. Elements that several members write at a
/// time need std::atomic_ref; an element with one writer may be read plainly once that member has
/// ended. Move-only; unmaps when it ends.
template <class T>
  requires std::is_trivially_copyable_v<T>
class SharedArray {
 public:
  /// Errors: no_memory.
  static Expected<SharedArray> create(std::size_t count) {
    SharedArray array;
    if (count == 0) return array;
    if (count > kMostBytes / sizeof(T)) {
      return fail(ErrorCode::no_memory,
                  fmt::format("{} shared elements of {} bytes are more than {} bytes", count,
                              sizeof(T), kMostBytes));
    }
    void* memory =
        mmap(nullptr, count * sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
      return fail(ErrorCode::no_memory, fmt::format("cannot map {} bytes of shared memory: {}",
                                                    count * sizeof(T), std::strerror(errno)));
    }
    array.elements_ = {static_cast<T*>(memory), count};
    return array;
  }

  SharedArray() = default;
  ~SharedArray() {
    if (!elements_.empty()) munmap(elements_.data(), elements_.size_bytes());
  }
  SharedArray(SharedArray&& other) noexcept : elements_(std::exchange(other.elements_, {})) {}
  SharedArray& operator=(SharedArray&& other) noexcept {
    std::swap(elements_, other.elements_);
    return *this;
  }

  [[nodiscard]] T& operator[](std::size_t index) const noexcept { return elements_[index]; }
  [[nodiscard]] std::size_t size() const noexcept { return elements_.size(); }
  [[nodiscard]] std::span<T> elements() const noexcept { return elements_; }

 private:
  static constexpr std::size_t kMostBytes = std::size_t{1} << 40;
  std::span<T> elements_;
};

}  // namespace lockstep::launch
