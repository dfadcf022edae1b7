#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <type_traits>

namespace lockstep::examples {

struct Free {
  void operator()(void* memory) const noexcept { std::free(memory); }
};

/// A zeroed array whose pages cost nothing until they are touched. Throws std::bad_alloc.
template <class T>
  requires std::is_trivially_copyable_v<T>
std::unique_ptr<T[], Free> make_zeroed_array(std::size_t count) {
  auto* memory = static_cast<T*>(std::calloc(count, sizeof(T)));
  if (memory == nullptr) throw std::bad_alloc();
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
