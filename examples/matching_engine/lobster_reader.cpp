#include "examples/matching_engine/lobster_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <limits>

namespace lockstep::examples {
namespace {

constexpr std::size_t kFields = 6;
constexpr std::uint64_t kSecondsPerDay = 86'400;
constexpr std::uint64_t kNsPerSecond = 1'000'000'000;
using Fields = std::array<std::string_view, kFields>;

/// How many fields the line has; the first six are stored.
std::size_t split(std::string_view line, Fields& fields) {
  std::size_t count = 0;
  while (true) {
    const std::size_t comma = line.find(',');
    if (count < kFields) fields[count] = line.substr(0, comma);
    ++count;
    if (comma == std::string_view::npos) return count;
    line.remove_prefix(comma + 1);
  }
}

template <class T>
bool parse(std::string_view text, T& value) {
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  return error == std::errc() && stop == end;
}

/// "34200.004241176": integers only, because a double has no nanoseconds left after midday.
bool parse_time(std::string_view text, std::uint64_t& time_ns) {
  const std::size_t point = text.find('.');
  std::uint64_t seconds = 0;
  if (!parse(text.substr(0, point), seconds) || seconds >= kSecondsPerDay) return false;
  time_ns = seconds * kNsPerSecond;
  if (point == std::string_view::npos) return true;
  const std::string_view fraction = text.substr(point + 1);
  if (fraction.empty()) return false;
  std::uint64_t scale = kNsPerSecond;
  for (std::size_t i = 0; i < fraction.size(); ++i) {
    if (fraction[i] < '0' || fraction[i] > '9') return false;
    const auto digit = static_cast<std::uint64_t>(fraction[i] - '0');
    scale /= 10;
    time_ns += digit * scale;
    if (i == 9 && digit >= 5) ++time_ns;
  }
  return true;
}

bool looks_like_header(std::string_view line) {
  return !line.empty() &&
         ((line[0] >= 'a' && line[0] <= 'z') || (line[0] >= 'A' && line[0] <= 'Z'));
}

/// Reason, or nullptr: type, id, size, price and direction into `order`.
const char* translate(const Fields& fields, OrderMessage& order) {
  std::int64_t price = 0;
  std::int32_t direction = 0;
  if (!parse_time(fields[0], order.time_ns)) return "the time is not in seconds from 0 to 86400";
  // Crosses have no order: LOBSTER gives them the id -1.
  const bool no_order = fields[1] == "6" && fields[2] == "-1";
  if (!no_order && !parse(fields[2], order.order_id))
    return "the order id is not a number from 0 to 2^64-1";
  if (!parse(fields[3], order.quantity)) return "the size is not a number from 0 to 2^32-1";
  if (!parse(fields[4], price)) return "the price is not a whole number";
  if (!parse(fields[5], direction) || (direction != 1 && direction != -1)) {
    return "the direction is neither 1 nor -1";
  }
  const bool in_range = price >= 1 && price <= std::numeric_limits<std::uint32_t>::max();
  order.price = in_range ? static_cast<std::uint32_t>(price) : 0;
  order.side = direction == 1 ? Side::buy : Side::sell;
  if (fields[1].size() != 1) return "unknown message type: it is 1 to 7";
  const char type = fields[1][0];
  if (type >= '1' && type <= '6') {
    if (order.quantity == 0) return "the size is 0";
    if (!in_range) return "the price is not from 1 to 2^32-1";
  }
  switch (type) {
    case '1':
      order.kind = OrderKind::add_limit;
      return nullptr;
    case '2':
      order.kind = OrderKind::reduce;
      order.price = 0;
      return nullptr;
    case '3':
      order.kind = OrderKind::cancel;
      order.price = 0;
      order.quantity = 0;
      return nullptr;
    case '4':
      order.kind = OrderKind::execute;
      return nullptr;
    case '5':
      order.kind = OrderKind::hidden_trade;
      return nullptr;
    case '6':
      order.kind = OrderKind::cross_trade;
      return nullptr;
    case '7': {
      if (price < -1 || price > 1) return "the price of a halt is neither -1, 0 nor 1";
      const TradingStatus status = price == -1  ? TradingStatus::halted
                                   : price == 0 ? TradingStatus::quotation_only
                                                : TradingStatus::trading;
      order = {.time_ns = order.time_ns,
               .kind = OrderKind::trading_status,
               .detail = static_cast<std::uint32_t>(status)};
      return nullptr;
    }
    default:
      return "unknown message type: it is 1 to 7";
  }
}

}  // namespace

Expected<std::size_t> LobsterReader::next(std::span<OrderMessage> into) {
  std::size_t stored = 0;
  while (stored < into.size()) {
    const auto got = next_order(into[stored]);
    if (!got) return std::unexpected(got.error());
    if (!*got) break;
    ++stored;
  }
  return stored;
}

void LobsterReader::rewind() {
  window_.rewind();
  line_number_ = 0;
  last_time_ns_ = 0;
}

/// False at the end of the file. The line comes without its end, "\n" or "\r\n".
Expected<bool> LobsterReader::next_line(std::string_view& line) {
  auto bytes = window_.peek(kLongestLine + 2);
  if (!bytes) return std::unexpected(bytes.error());
  if (bytes->empty()) return false;
  ++line_number_;
  const auto* begin = reinterpret_cast<const char*>(bytes->data());
  const std::size_t within = std::min(bytes->size(), kLongestLine + 2);
  const auto* end = static_cast<const char*>(std::memchr(begin, '\n', within));
  const std::size_t length = end != nullptr ? static_cast<std::size_t>(end - begin) : within;
  line = {begin, length};
  window_.advance(end != nullptr ? length + 1 : length);
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (line.size() > kLongestLine) {
    return malformed("", fmt::format("the line has more than {} characters", kLongestLine));
  }
  return true;
}

/// False at the end of the file.
Expected<bool> LobsterReader::next_order(OrderMessage& order) {
  std::string_view line;
  while (true) {
    const auto got = next_line(line);
    if (!got || !*got) return got;
    Fields fields;
    const std::size_t count = split(line, fields);
    if (count != kFields) {
      return malformed(line, fmt::format("{} fields instead of {}", count, kFields));
    }
    if (line_number_ == 1 && looks_like_header(line)) continue;
    order = {};
    if (const char* reason = translate(fields, order); reason != nullptr) {
      return malformed(line, reason);
    }
    if (order.time_ns < last_time_ns_) return malformed(line, "the time goes backwards");
    last_time_ns_ = order.time_ns;
    return true;
  }
}

std::unexpected<Error> LobsterReader::malformed(std::string_view line,
                                                std::string_view reason) const {
  Fields fields;
  const bool has_type = split(line, fields) >= 2;
  return fail(ErrorCode::input,
              fmt::format("{}:{}: message type {}: {}", window_.name(), line_number_,
                          has_type ? fmt::format("\"{:.8}\"", fields[1]) : "?", reason));
}

}  // namespace lockstep::examples
