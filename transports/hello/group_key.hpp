#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "lockstep/error.hpp"

namespace lockstep::transports {

/// The secret that the members of a group share: who knows it is one of them. It lies in memory
/// that is not swapped out and not in core dumps (where the system permits), and is wiped when this
/// ends. No message names any part of it.
class GroupKey {
 public:
  static constexpr std::size_t kBytes = 32;

  /// Reads the file that `group.key_file` names: 64 hex digits, and only its owner may read it.
  /// Blocks on the file system. Errors: configuration, no_memory.
  static Expected<GroupKey> read(const std::string& path);

  /// `digits`: 64 hex digits, and white space after them. Errors: configuration, no_memory.
  static Expected<GroupKey> from_hex(std::string_view digits);

  [[nodiscard]] std::span<const unsigned char, kBytes> bytes() const noexcept {
    return std::span<const unsigned char, kBytes>(bytes_.get(), kBytes);
  }

 private:
  struct Wipe {
    void operator()(unsigned char* bytes) const noexcept;
  };
  GroupKey() = default;

  std::unique_ptr<unsigned char[], Wipe> bytes_;
};

}  // namespace lockstep::transports
