#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace lockstep::transports {

/// Who connected while members met and was not one: counted, and told of once per address, however
/// often they come.
class Refusals {
 public:
  /// `address`: without the port, which is another one each time.
  void add(const std::string& address, const std::string& reason);
  [[nodiscard]] std::uint64_t total() const noexcept { return total_; }
  /// One line per address, at most kMostAddresses, and one for the rest.
  [[nodiscard]] std::vector<std::string> notices() const;

  static constexpr std::size_t kMostAddresses = 16;

 private:
  struct From {
    std::string address;
    std::string reason;  ///< the first
    std::uint64_t count = 0;
  };
  std::vector<From> from_;
  std::uint64_t total_ = 0;
};

}  // namespace lockstep::transports
