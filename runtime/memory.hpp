#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "lockstep/config.hpp"
#include "lockstep/error.hpp"

namespace lockstep::runtime {

/// How to get memory for regions, rings and rows.
struct MemoryOptions {
  HugePages huge_pages = HugePages::automatic;
  bool lock = false;                 ///< mlock it; an error when RLIMIT_MEMLOCK is too small
  const char* purpose = "a region";  ///< for messages: "the ring of rank 1"
};

/// A zeroed, page-aligned, fully populated block of shared memory backed by a memfd, so that it
/// can be handed to another process by descriptor. Move-only; unmaps and closes when it ends.
///
/// Huge pages of 2 MiB (memfd_create(2) MFD_HUGETLB) where asked for and there; `notice()` says
/// when they were wanted and not to be had. `automatic` does not want them for less than one page
/// of them. Anonymous: nothing is left behind by a crash.
class SharedBlock {
 public:
  /// Makes a block of at least `bytes` (rounded up to the page size). Blocks while pages are
  /// populated. Errors: no_memory (what, how much, which limit, how to mend), system.
  static Expected<SharedBlock> create(std::size_t bytes, const MemoryOptions& options);

  /// Maps a descriptor that a peer created and sent; takes the descriptor over. Checks that the
  /// file is at least `bytes` long, so that no later access can fault (a shrinkable file is
  /// refused: the creator seals it with F_SEAL_SHRINK), then maps `bytes`, rounded up to the page
  /// size of the file. Errors: mismatch, no_memory, system.
  static Expected<SharedBlock> attach(int descriptor, std::size_t bytes, const char* purpose);

  SharedBlock() = default;
  ~SharedBlock();
  SharedBlock(SharedBlock&& other) noexcept;
  SharedBlock& operator=(SharedBlock&& other) noexcept;

  [[nodiscard]] std::byte* data() const noexcept { return data_; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] std::span<std::byte> bytes() const noexcept { return {data_, size_}; }
  /// The memfd, for handing over; owned by the block. -1 when empty.
  [[nodiscard]] int descriptor() const noexcept { return descriptor_; }
  [[nodiscard]] bool huge() const noexcept { return huge_; }
  /// What was tolerated while making it; empty if nothing.
  [[nodiscard]] const std::string& notice() const noexcept { return notice_; }
  explicit operator bool() const noexcept { return data_ != nullptr; }

 private:
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  int descriptor_ = -1;
  bool huge_ = false;
  std::string notice_;
};

}  // namespace lockstep::runtime
