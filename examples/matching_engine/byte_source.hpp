#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "lockstep/error.hpp"

namespace lockstep::examples {

/// Bytes that can be read from any offset: a file, or memory in tests. One thread.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  /// Reads up to `into.size()` bytes from `offset`; fewer only at the end, 0 behind it. Blocks on
  /// the file system. Errors: system.
  virtual Expected<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> into) = 0;
  /// For messages: the path.
  [[nodiscard]] virtual const std::string& name() const noexcept = 0;
};

/// Opens a regular file for reading. Errors: input (not there, not readable, not a regular file,
/// empty, compressed), each with the path and how to mend it.
Expected<std::unique_ptr<ByteSource>> open_input_file(const std::string& path);

/// Bytes that are in memory; `bytes` must outlive the source.
std::unique_ptr<ByteSource> bytes_in_memory(std::string name, std::span<const std::byte> bytes);

/// What a pipe, a terminal or a file gives when it is read from where it stands; `descriptor` stays
/// the caller's. Read once: from an offset behind all bytes read so far, or within the bytes of the
/// last call. Errors of read_at: also invalid_argument, for what is gone.
std::unique_ptr<ByteSource> bytes_of_pipe(std::string name, int descriptor);

/// A window of fixed size that slides over a source: how the readers stay within bounded memory.
class ByteWindow {
 public:
  explicit ByteWindow(std::unique_ptr<ByteSource> source);

  /// The bytes at the present offset: at least `wanted` (at most kBytes) unless the input ends
  /// before. Valid until the next call. Errors: system.
  Expected<std::span<const std::byte>> peek(std::size_t wanted);
  /// Moves on by `bytes` of what `peek` showed.
  void advance(std::size_t bytes) noexcept { start_ += bytes; }
  void rewind() noexcept;

  /// Where the next byte is in the source.
  [[nodiscard]] std::uint64_t offset() const noexcept { return end_offset_ - (end_ - start_); }
  [[nodiscard]] const std::string& name() const noexcept { return source_->name(); }

  static constexpr std::size_t kBytes = 1 << 16;

 private:
  Expected<void> refill();

  std::unique_ptr<ByteSource> source_;
  std::vector<std::byte> buffer_;
  std::size_t start_ = 0;
  std::size_t end_ = 0;
  std::uint64_t end_offset_ = 0;
};

}  // namespace lockstep::examples
