#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep::examples {

/// Writes ITCH 5.0 messages by hand, field by field after the specification: shares nothing with
/// the reader it tests.
class ItchWriter {
 public:
  /// Begins a message: type, stock locate, tracking number 0, time. Ends the one before.
  ItchWriter& message(char type, std::uint16_t locate, std::uint64_t time_ns) {
    finish();
    start_ = bytes_.size();
    open_ = true;
    return number(0, 2).text({&type, 1}).number(locate, 2).number(0, 2).number(time_ns, 6);
  }
  /// Big-endian.
  ItchWriter& number(std::uint64_t value, int width) {
    for (int shift = 8 * (width - 1); shift >= 0; shift -= 8) {
      bytes_.push_back(static_cast<std::byte>(value >> shift));
    }
    return *this;
  }
  ItchWriter& text(std::string_view characters) {
    for (const char character : characters) bytes_.push_back(static_cast<std::byte>(character));
    return *this;
  }
  ItchWriter& zeros(std::size_t count) {
    bytes_.resize(bytes_.size() + count);
    return *this;
  }

  ItchWriter& add(std::uint16_t locate, std::uint64_t time_ns, std::uint64_t id, char side,
                  std::uint32_t shares, std::uint32_t price) {
    return message('A', locate, time_ns)
        .number(id, 8)
        .text({&side, 1})
        .number(shares, 4)
        .text("AAPL    ")
        .number(price, 4);
  }
  ItchWriter& remove(std::uint16_t locate, std::uint64_t time_ns, std::uint64_t id) {
    return message('D', locate, time_ns).number(id, 8);
  }

  /// All bytes, the last message ended.
  const std::vector<std::byte>& bytes() {
    finish();
    return bytes_;
  }

 private:
  void finish() {
    if (!open_) return;
    const std::size_t length = bytes_.size() - start_ - 2;
    bytes_[start_] = static_cast<std::byte>(length >> 8);
    bytes_[start_ + 1] = static_cast<std::byte>(length);
    open_ = false;
  }

  std::vector<std::byte> bytes_;
  std::size_t start_ = 0;
  bool open_ = false;
};

}  // namespace lockstep::examples
