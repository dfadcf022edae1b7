#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "examples/matching_engine/byte_source.hpp"
#include "examples/matching_engine/order_message.hpp"
#include "examples/matching_engine/order_source.hpp"
#include "lockstep/error.hpp"

namespace lockstep::examples {

/// Reads a LOBSTER message file (lobsterdata.com, "Data Structure"): lines of six fields, comma
/// separated: seconds after midnight, type, order id, size, price in 1/10 000, direction (1 buy,
/// -1 sell; of the resting order in executions). The first line may be a header.
///
/// Types: 1 submission, 2 partial cancellation, 3 deletion, 4 execution of a visible order, 5 of a
/// hidden one, 6 cross trade, 7 trading halt (price -1 halted, 0 quoting again, 1 trading again).
/// Times have at most 9 digits behind the point that count; more are rounded. Bounded memory.
class LobsterReader final : public OrderSource {
 public:
  explicit LobsterReader(std::unique_ptr<ByteSource> source) : window_(std::move(source)) {}

  /// Errors name file, line, the line's type and the reason.
  Expected<std::size_t> next(std::span<OrderMessage> into) override;
  void rewind() override;

  /// A longer line is malformed. The longest sensible one has about 70 characters.
  static constexpr std::size_t kLongestLine = 256;

 private:
  Expected<bool> next_line(std::string_view& line);
  Expected<bool> next_order(OrderMessage& order);
  std::unexpected<Error> malformed(std::string_view line, std::string_view reason) const;

  ByteWindow window_;
  std::uint64_t line_number_ = 0;
  std::uint64_t last_time_ns_ = 0;
};

}  // namespace lockstep::examples
