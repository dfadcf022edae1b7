#include "examples/matching_engine/itch_reader.hpp"

#include <fmt/format.h>

#include <bit>
#include <cstring>
#include <limits>
#include <string>
#include <string_view>

namespace lockstep::examples {
namespace {

constexpr std::size_t kPrefixBytes = 2;
constexpr std::size_t kLongestMessage = 50;
constexpr std::uint64_t kNsPerDay = 86'400'000'000'000;

/// One message; offsets are those of the specification.
class ItchMessage {
 public:
  explicit ItchMessage(std::span<const std::byte> bytes) : bytes_(bytes) {}

  [[nodiscard]] char character(std::size_t offset) const {
    return static_cast<char>(bytes_[offset]);
  }
  [[nodiscard]] std::uint16_t u16(std::size_t offset) const { return big<std::uint16_t>(offset); }
  [[nodiscard]] std::uint32_t u32(std::size_t offset) const { return big<std::uint32_t>(offset); }
  [[nodiscard]] std::uint64_t u64(std::size_t offset) const { return big<std::uint64_t>(offset); }
  [[nodiscard]] std::uint64_t u48(std::size_t offset) const {
    return std::uint64_t{u16(offset)} << 32 | u32(offset + 2);
  }

 private:
  template <class T>
  [[nodiscard]] T big(std::size_t offset) const {
    T value;
    std::memcpy(&value, bytes_.subspan(offset, sizeof value).data(), sizeof value);
    return std::endian::native == std::endian::little ? std::byteswap(value) : value;
  }

  std::span<const std::byte> bytes_;
};

/// What a message came to.
struct Translation {
  const char* reason = nullptr;  ///< malformed because of this
  bool is_order = false;
};
constexpr Translation kOrder{nullptr, true};
constexpr Translation kSkipped{nullptr, false};

Translation translate_add(const ItchMessage& message, OrderMessage& order) {
  const char side = message.character(19);
  if (side != 'B' && side != 'S') return {"the side is neither B nor S"};
  order.kind = OrderKind::add_limit;
  order.order_id = message.u64(11);
  order.side = side == 'B' ? Side::buy : Side::sell;
  order.quantity = message.u32(20);
  order.price = message.u32(32);
  if (order.quantity == 0) return {"the number of shares is 0"};
  if (order.price == 0) return {"the price is 0"};
  return kOrder;
}

Translation translate_execution(const ItchMessage& message, char type, OrderMessage& order) {
  order.kind = OrderKind::execute;
  order.order_id = message.u64(11);
  order.quantity = message.u32(19);
  if (order.quantity == 0) return {"the number of executed shares is 0"};
  if (type == 'E') return kOrder;
  const char printable = message.character(31);
  if (printable != 'Y' && printable != 'N') return {"printable is neither Y nor N"};
  order.price = message.u32(32);
  return kOrder;
}

Translation translate_replace(const ItchMessage& message, OrderMessage& order) {
  order.kind = OrderKind::replace;
  order.order_id = message.u64(11);
  order.new_order_id = message.u64(19);
  order.quantity = message.u32(27);
  order.price = message.u32(31);
  if (order.quantity == 0) return {"the number of shares is 0"};
  if (order.price == 0) return {"the price is 0"};
  return kOrder;
}

/// The cross of a stock that had nothing to cross has 0 shares at price 0: it happens daily.
Translation translate_cross(const ItchMessage& message, OrderMessage& order) {
  const std::uint64_t shares = message.u64(11);
  if (shares > std::numeric_limits<std::uint32_t>::max()) {
    return {"more than 2^32-1 shares in one cross"};
  }
  order.kind = OrderKind::cross_trade;
  order.quantity = static_cast<std::uint32_t>(shares);
  order.price = message.u32(27);
  return kOrder;
}

Translation translate_trade(const ItchMessage& message, OrderMessage& order) {
  const char side = message.character(19);
  if (side != 'B' && side != 'S') return {"the side is neither B nor S"};
  order.kind = OrderKind::hidden_trade;
  order.order_id = message.u64(11);
  order.side = side == 'B' ? Side::buy : Side::sell;
  order.quantity = message.u32(20);
  order.price = message.u32(32);
  return kOrder;
}

Translation translate_trading_action(const ItchMessage& message, OrderMessage& order) {
  order.kind = OrderKind::trading_status;
  const auto set = [&](TradingStatus status) {
    order.detail = static_cast<std::uint32_t>(status);
    return kOrder;
  };
  switch (message.character(19)) {
    case 'H':
      return set(TradingStatus::halted);
    case 'P':
      return set(TradingStatus::paused);
    case 'Q':
      return set(TradingStatus::quotation_only);
    case 'T':
      return set(TradingStatus::trading);
    default:
      return {"the trading state is not H, P, Q or T"};
  }
}

Translation translate(const ItchMessage& message, OrderMessage& order) {
  const char type = message.character(0);
  order.instrument = message.u16(1);
  order.time_ns = message.u48(5);
  if (order.time_ns >= kNsPerDay) return {"the time is not within one day"};
  switch (type) {
    case 'A':
    case 'F':
      return translate_add(message, order);
    case 'E':
    case 'C':
      return translate_execution(message, type, order);
    case 'X':
      order.kind = OrderKind::reduce;
      order.order_id = message.u64(11);
      order.quantity = message.u32(19);
      return order.quantity == 0 ? Translation{"the number of cancelled shares is 0"} : kOrder;
    case 'D':
      order.kind = OrderKind::cancel;
      order.order_id = message.u64(11);
      return kOrder;
    case 'U':
      return translate_replace(message, order);
    case 'P':
      return translate_trade(message, order);
    case 'Q':
      return translate_cross(message, order);
    case 'H':
      return translate_trading_action(message, order);
    case 'S':
      if (std::string_view("OSQMEC").find(message.character(11)) == std::string_view::npos) {
        return {"the event code is not O, S, Q, M, E or C"};
      }
      return kSkipped;
    default:
      return kSkipped;
  }
}

}  // namespace

std::size_t itch_length_of(char type) noexcept {
  switch (type) {
    case 'S':  // system event
      return 12;
    case 'R':  // stock directory
      return 39;
    case 'H':  // stock trading action
      return 25;
    case 'Y':  // Reg SHO restriction
      return 20;
    case 'L':  // market participant position
      return 26;
    case 'V':  // market-wide circuit breaker decline level
      return 35;
    case 'W':  // market-wide circuit breaker status
      return 12;
    case 'K':  // IPO quoting period update
      return 28;
    case 'J':  // limit up, limit down auction collar
      return 35;
    case 'h':  // operational halt
      return 21;
    case 'A':  // add order
      return 36;
    case 'F':  // add order with attribution
      return 40;
    case 'E':  // order executed
      return 31;
    case 'C':  // order executed with price
      return 36;
    case 'X':  // order cancel
      return 23;
    case 'D':  // order delete
      return 19;
    case 'U':  // order replace
      return 35;
    case 'P':  // trade
      return 44;
    case 'Q':  // cross trade
      return 40;
    case 'B':  // broken trade
      return 19;
    case 'I':  // net order imbalance indicator
      return 50;
    case 'N':  // retail price improvement indicator
      return 20;
    case 'O':  // direct listing with capital raise
      return 48;
    default:
      return 0;
  }
}

Expected<std::size_t> ItchReader::next(std::span<OrderMessage> into) {
  std::size_t stored = 0;
  while (stored < into.size()) {
    const auto got = next_order(into[stored]);
    if (!got) return std::unexpected(got.error());
    if (!*got) break;
    ++stored;
  }
  return stored;
}

/// False at the end of the file.
Expected<bool> ItchReader::next_order(OrderMessage& order) {
  while (true) {
    const auto bytes = window_.peek(kPrefixBytes + kLongestMessage);
    if (!bytes) return std::unexpected(bytes.error());
    if (bytes->empty()) return false;
    if (bytes->size() < kPrefixBytes) return malformed('\0', "the file ends inside a length");
    const std::size_t length = ItchMessage(*bytes).u16(0);
    if (length == 0) {
      if (bytes->size() == kPrefixBytes) return false;
      return malformed('\0', "a length of 0 ends the file, but bytes follow");
    }
    if (bytes->size() == kPrefixBytes) return malformed('\0', "the file ends behind a length");
    const auto type = static_cast<char>((*bytes)[kPrefixBytes]);
    const std::size_t expected = itch_length_of(type);
    if (expected == 0) return malformed(type, "unknown message type");
    if (length != expected) {
      return malformed(type, fmt::format("length {} instead of {}", length, expected));
    }
    if (bytes->size() < kPrefixBytes + length) {
      return malformed(type, fmt::format("the file ends after {} of {} bytes",
                                         bytes->size() - kPrefixBytes, length));
    }
    order = {};
    const Translation came_to = translate(ItchMessage(bytes->subspan(kPrefixBytes, length)), order);
    if (came_to.reason != nullptr) return malformed(type, came_to.reason);
    window_.advance(kPrefixBytes + length);
    if (came_to.is_order) return true;
  }
}

std::unexpected<Error> ItchReader::malformed(char type, std::string_view reason) const {
  const bool printable = type > ' ' && type <= '~';
  const std::string word = type == '\0' ? "?"
                           : printable  ? fmt::format("\"{}\"", type)
                                        : fmt::format("0x{:02x}", static_cast<unsigned char>(type));
  return fail(ErrorCode::input, fmt::format("{}: byte {}: message type {}: {}", window_.name(),
                                            window_.offset(), word, reason));
}

}  // namespace lockstep::examples
