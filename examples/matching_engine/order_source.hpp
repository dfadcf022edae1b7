#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "examples/matching_engine/byte_source.hpp"
#include "examples/matching_engine/order_message.hpp"
#include "lockstep/error.hpp"

namespace lockstep::examples {

/// A finite flow of orders that can be had again from the start. One thread.
class OrderSource {
 public:
  virtual ~OrderSource() = default;
  /// Stores the next orders, at most `into.size()` (at least 1); returns how many, 0 at the end.
  /// Errors: input (malformed: file, place, message and reason), system. After an error the source
  /// must be rewound.
  virtual Expected<std::size_t> next(std::span<OrderMessage> into) = 0;
  virtual void rewind() = 0;
};

/// What a whole source holds.
struct FlowSummary {
  std::uint64_t orders = 0;
  std::uint64_t first_time_ns = 0;
  std::uint64_t last_time_ns = 0;
};

/// Reads `source` to its end, then rewinds it. So a malformed file is refused before its first
/// order is published: nothing of it is ever applied.
Expected<FlowSummary> check_whole(OrderSource& source);

/// Opens a file of orders. `format` is "lobster", "itch" or "auto", which looks at the first byte:
/// ITCH files begin with the high byte of a length below 256, so with 0; text never does.
Expected<std::unique_ptr<OrderSource>> open_order_file(const std::string& path,
                                                       std::string_view format);

/// The same of bytes that are open.
Expected<std::unique_ptr<OrderSource>> open_orders(std::unique_ptr<ByteSource> bytes,
                                                   std::string_view format);

/// At most the first `most` orders of `source`.
std::unique_ptr<OrderSource> first_orders(std::unique_ptr<OrderSource> source, std::uint64_t most);

}  // namespace lockstep::examples
