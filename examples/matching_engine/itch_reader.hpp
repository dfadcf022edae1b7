#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "examples/matching_engine/byte_source.hpp"
#include "examples/matching_engine/order_message.hpp"
#include "examples/matching_engine/order_source.hpp"
#include "lockstep/error.hpp"

namespace lockstep::examples {

/// The length of an ITCH 5.0 message of this type, length prefix excluded; 0 if there is no such
/// type. (Nasdaq TotalView-ITCH 5.0, sections 1.1 to 1.8.)
std::size_t itch_length_of(char type) noexcept;

/// Reads a NASDAQ TotalView-ITCH 5.0 file: messages with a 2-byte big-endian length before each
/// ("BinaryFILE"). All fields are big-endian. A length of 0 may end the file.
///
/// Order messages (A F E C X D U), trades (P), crosses (Q) and trading actions (H) become
/// OrderMessages; all other types of the specification are checked for their length and skipped,
/// as they change no book. An unknown type or a wrong length is malformed. Bounded memory.
class ItchReader final : public OrderSource {
 public:
  explicit ItchReader(std::unique_ptr<ByteSource> source) : window_(std::move(source)) {}

  /// Errors name file, byte offset, message type and the reason.
  Expected<std::size_t> next(std::span<OrderMessage> into) override;
  void rewind() override { window_.rewind(); }

 private:
  Expected<bool> next_order(OrderMessage& order);
  std::unexpected<Error> malformed(char type, std::string_view reason) const;

  ByteWindow window_;
};

}  // namespace lockstep::examples
