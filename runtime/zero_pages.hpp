#pragma once

#include <cstddef>
#include <span>

#include "lockstep/error.hpp"

namespace lockstep::runtime {

/// Memory that reads as zeroes and cannot be written: one page of the kernel's, however long.
class ZeroPages {
 public:
  /// Errors: no_memory (of address space).
  static Expected<ZeroPages> create(std::size_t bytes);
  ZeroPages() = default;
  ~ZeroPages();
  ZeroPages(ZeroPages&& other) noexcept;
  ZeroPages& operator=(ZeroPages&& other) noexcept;

  /// Writing to it ends the process.
  [[nodiscard]] std::span<std::byte> bytes() const noexcept { return bytes_; }

 private:
  std::span<std::byte> bytes_;
};

}  // namespace lockstep::runtime
