#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>

#include "lockstep/snapshot.hpp"

namespace lockstep::tests {

/// Takes a snapshot into memory, `budget` bytes a call, at most `piece` of them a write.
class MemoryWriter final : public SnapshotWriter {
 public:
  MemoryWriter(std::size_t budget, std::size_t piece) : budget_(budget), piece_(piece) {}

  /// Before each call of save.
  void begin_call(bool first) {
    first_ = first;
    room_ = budget_;
    if (first) bytes.clear();
  }

  [[nodiscard]] bool first() const noexcept override { return first_; }
  [[nodiscard]] std::uint64_t cut() const noexcept override { return 2; }
  [[nodiscard]] std::size_t room() const noexcept override { return room_; }
  std::size_t write(std::span<const std::byte> some) noexcept override {
    const std::size_t taken = std::min({some.size(), room_, piece_});
    bytes.append(reinterpret_cast<const char*>(some.data()), taken);
    room_ -= taken;
    return taken;
  }
  void fail(std::string reason) noexcept override { failure = std::move(reason); }

  std::string bytes;
  std::string failure;

 private:
  std::size_t budget_;
  std::size_t piece_;
  std::size_t room_ = 0;
  bool first_ = false;
};

/// One piece of a snapshot.
class MemoryReader final : public SnapshotReader {
 public:
  MemoryReader(std::string_view bytes, bool first, bool last)
      : bytes_(bytes), first_(first), last_(last) {}

  [[nodiscard]] bool first() const noexcept override { return first_; }
  [[nodiscard]] bool last() const noexcept override { return last_; }
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept override {
    return std::as_bytes(std::span(bytes_));
  }
  void fail(std::string reason) noexcept override { failure = std::move(reason); }

  std::string failure;

 private:
  std::string_view bytes_;
  bool first_;
  bool last_;
};

/// Gives `snapshot` to `store` in pieces of `piece_bytes`; what it complained about.
template <class Store>
std::string load_in_pieces(Store& store, std::string_view snapshot, std::size_t piece_bytes) {
  std::string failure;
  for (std::size_t at = 0; at == 0 || at < snapshot.size(); at += piece_bytes) {
    const bool last = at + piece_bytes >= snapshot.size();
    MemoryReader reader(snapshot.substr(at, piece_bytes), at == 0, last);
    store.load(reader);
    if (failure.empty()) failure = reader.failure;
  }
  return failure;
}

}  // namespace lockstep::tests
