#include "runtime/zero_pages.hpp"

#include <fmt/format.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace lockstep::runtime {

Expected<ZeroPages> ZeroPages::create(std::size_t bytes) {
  ZeroPages pages;
  if (bytes == 0) return pages;
  void* const place =
      ::mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (place == MAP_FAILED) {
    return fail(ErrorCode::no_memory,
                fmt::format("cannot map {} bytes that stand for a peer who is not there: {}; "
                            "raise the limit of address space (ulimit -v) if it is reached",
                            bytes, std::strerror(errno)));
  }
  pages.bytes_ = {static_cast<std::byte*>(place), bytes};
  return pages;
}

ZeroPages::~ZeroPages() {
  if (!bytes_.empty()) ::munmap(bytes_.data(), bytes_.size());
}

ZeroPages::ZeroPages(ZeroPages&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}

ZeroPages& ZeroPages::operator=(ZeroPages&& other) noexcept {
  std::swap(bytes_, other.bytes_);
  return *this;
}

}  // namespace lockstep::runtime
