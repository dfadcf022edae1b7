#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lockstep/error.hpp"

namespace lockstep::runtime {

/// One live 64-bit number with a single writer: the reactor thread that owns it. Readers in other
/// threads and processes see each value whole. Adding is a plain load and store, no locked
/// instruction.
class Counter {
 public:
  explicit Counter(std::uint64_t* word) noexcept : word_(word) {}
  void add(std::uint64_t n = 1) const noexcept {
    std::atomic_ref word(*word_);
    word.store(word.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  void set(std::uint64_t value) const noexcept {
    std::atomic_ref(*word_).store(value, std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t value() const noexcept {
    return std::atomic_ref(*word_).load(std::memory_order_relaxed);
  }

 private:
  std::uint64_t* word_;
};

/// The counters of one reactor, in a file that other programs map and read while it runs
/// (`lockstep counters FILE`). The layout is documented in docs/counters.md.
///
/// The file is locked (flock(2)) for the life of the writer. A file left by a crashed run has no
/// lock: it is taken over and `notice()` says so. A file whose writer lives is an error that names
/// its pid. Removed when the object ends.
class Counters {
 public:
  /// `path` empty: the numbers live in this process only. The file is allocated in full, so a disk
  /// that fills up later does no harm. Errors: identity_in_use, configuration (the path holds
  /// something that is not ours), system (also: no room on the disk).
  static Expected<std::unique_ptr<Counters>> open(const std::string& path);
  ~Counters();
  Counters(const Counters&) = delete;
  Counters& operator=(const Counters&) = delete;

  /// A new counter, starting at zero, valid as long as this object. `name` like
  /// "group.orders.frames_delivered"; cut after 63 characters. Beyond capacity (1 024) an unlisted,
  /// working counter is returned. One thread, cold path only.
  Counter make(std::string_view name);

  [[nodiscard]] const std::string& notice() const noexcept { return notice_; }

  struct Reading {
    std::string name;
    std::uint64_t value;
  };
  /// Reads another process's file. Errors: system, mismatch (not a counters file, other layout).
  static Expected<std::vector<Reading>> read(const std::string& path);

 private:
  Counters() = default;
  struct File;
  std::unique_ptr<File> file_;
  std::vector<std::unique_ptr<std::uint64_t>> unlisted_;
  std::string notice_;
};

}  // namespace lockstep::runtime
