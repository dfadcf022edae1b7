#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <type_traits>

namespace lockstep::examples {

struct Free {
  void operator()(void* memory) const noexcept { std::free(memory); }
};

/// A zeroed array, every page of it touched: the first orders of the day must not wait for page
/// faults. Large ones lie on 2 MiB pages where the kernel gives them on request (madvise(2)
/// MADV_HUGEPAGE), because ids are looked up all over the memory. Throws std::bad_alloc.
template <class T>
  requires std::is_trivially_copyable_v<T>
std::unique_ptr<T[], Free> make_zeroed_array(std::size_t count) {
  constexpr std::size_t kHugePage = std::size_t{1} << 21;
  constexpr std::size_t kLine = 64;
  const std::size_t bytes = count * sizeof(T);
  const std::size_t alignment = bytes >= kHugePage ? kHugePage : kLine;
  const std::size_t rounded = (bytes + alignment - 1) & ~(alignment - 1);
  auto* memory = static_cast<T*>(std::aligned_alloc(alignment, rounded));
  if (memory == nullptr) throw std::bad_alloc();
  // Refused where the kernel has no such pages: then small ones do.
  if (alignment == kHugePage) madvise(memory, rounded, MADV_HUGEPAGE);
  std::memset(static_cast<void*>(memory), 0, rounded);
  return std::unique_ptr<T[], Free>(memory);
}

/// A fixed number of elements addressed by 1 … capacity; 0 is "none", so that zeroed memory is an
/// empty list. Elements freed last are reused first, while they are still in the cache. T has a
/// field `next` that links it into the free list.
template <class T>
class Pool {
 public:
  explicit Pool(std::uint32_t capacity)
      : elements_(make_zeroed_array<T>(std::size_t{capacity} + 1)), capacity_(capacity) {}

  [[nodiscard]] bool full() const noexcept { return used_ == capacity_; }
  [[nodiscard]] std::uint32_t used() const noexcept { return used_; }
  [[nodiscard]] std::uint32_t capacity() const noexcept { return capacity_; }

  /// The pool must not be full. The element holds what its last user left in it.
  std::uint32_t take() noexcept {
    ++used_;
    if (first_free_ == 0) return ++touched_;
    const std::uint32_t index = first_free_;
    first_free_ = elements_[index].next;
    return index;
  }
  void give_back(std::uint32_t index) noexcept {
    --used_;
    elements_[index].next = first_free_;
    first_free_ = index;
  }

  T& operator[](std::uint32_t index) noexcept { return elements_[index]; }
  const T& operator[](std::uint32_t index) const noexcept { return elements_[index]; }

 private:
  std::unique_ptr<T[], Free> elements_;
  std::uint32_t capacity_;
  std::uint32_t used_ = 0;
  std::uint32_t touched_ = 0;
  std::uint32_t first_free_ = 0;
};

}  // namespace lockstep::examples
