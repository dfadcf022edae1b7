#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace lockstep::node {

/// What all entries may take, so that no client can fill the memory of all members; the same at
/// every member, since each has to refuse the same puts.
inline constexpr std::size_t kMostStateBytes = std::size_t{64} << 20;
/// What an entry counts for beside its key and value: about what a node of the map takes.
inline constexpr std::size_t kEntryCostBytes = 96;

/// Keys and values in the order of their bytes, bounded, with a digest that is brought up to date
/// with every put: equal contents, equal digests, however they came about.
class KvState {
 public:
  using Entries = std::map<std::string, std::string, std::less<>>;

  explicit KvState(std::size_t most_bytes = kMostStateBytes) : most_bytes_(most_bytes) {}

  /// Whether the bound allows it; it is a function of the contents, so all members say the same.
  [[nodiscard]] bool takes(std::string_view key, std::string_view value) const;
  /// Asserts `takes`.
  void put(std::string_view key, std::string_view value);

  /// Null where there is none; until the next put.
  [[nodiscard]] const std::string* find(std::string_view key) const;
  [[nodiscard]] const Entries& entries() const noexcept { return entries_; }
  [[nodiscard]] std::size_t most_bytes() const noexcept { return most_bytes_; }
  [[nodiscard]] std::uint64_t digest() const noexcept { return digest_; }

 private:
  [[nodiscard]] std::size_t bytes_with(std::string_view key, std::string_view value) const;

  Entries entries_;
  std::size_t most_bytes_;
  std::size_t bytes_ = 0;
  std::uint64_t digest_ = 0;
};

}  // namespace lockstep::node
