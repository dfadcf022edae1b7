#include "transports/verbs/parameters.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>

namespace lockstep::transports {
namespace {

constexpr std::string_view kName = "lockstep-verbs";
constexpr std::uint64_t kVersion = 1;
constexpr std::uint64_t kMost24Bits = 0xff'ffff;
constexpr std::uint64_t kMost32Bits = std::numeric_limits<std::uint32_t>::max();
constexpr std::uint64_t kMost64Bits = std::numeric_limits<std::uint64_t>::max();
/// LIDs above address groups (IB spec 1.4, §4.1.3).
constexpr std::uint64_t kMostUnicastLid = 0xbfff;

/// A peer's bytes are shown only where they cannot do harm to a terminal or a log.
std::string printable(std::string_view text) {
  constexpr std::size_t kShown = 40;
  std::string shown(text.substr(0, kShown));
  std::ranges::replace_if(shown, [](char c) { return c < ' ' || c > '~'; }, '?');
  return text.size() > kShown ? shown + "…" : shown;
}

/// Takes fields off the front of a line, in order. The first that is wrong is remembered, and all
/// after it are not looked at.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  /// The next field, "name=hexadecimal", from `least` to `most`.
  std::uint64_t number(std::string_view name, std::uint64_t least, std::uint64_t most) {
    const std::string_view text = value(name);
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, 16);
    const bool whole = error == std::errc{} && end == text.data() + text.size();
    if (!whole || number < least || number > most) refuse(name, text);
    return number;
  }

  Gid gid(std::string_view name) {
    Gid gid{};
    const std::string_view text = value(name);
    if (text.size() != 2 * gid.size()) refuse(name, text);
    for (std::size_t i = 0; i < gid.size() && fault_.empty(); ++i) {
      const char* digits = text.data() + 2 * i;
      const auto [end, error] = std::from_chars(digits, digits + 2, gid[i], 16);
      if (error != std::errc{} || end != digits + 2) refuse(name, text);
    }
    return gid;
  }

  /// The fault, or empty when all was read and nothing is left.
  std::string finish() {
    if (fault_.empty() && !rest_.empty()) refuse("the end of the line", rest_);
    return fault_;
  }

 private:
  std::string_view value(std::string_view name) {
    if (!fault_.empty()) return {};
    const std::size_t space = std::min(rest_.find(' '), rest_.size());
    const std::string_view field = rest_.substr(0, space);
    rest_.remove_prefix(std::min(space + 1, rest_.size()));
    if (field.starts_with(name) && field.substr(name.size()).starts_with('=')) {
      return field.substr(name.size() + 1);
    }
    refuse(name, field);
    return {};
  }

  void refuse(std::string_view name, std::string_view text) {
    if (fault_.empty()) fault_ = fmt::format("{}: '{}'", name, printable(text));
  }

  std::string_view rest_;
  std::string fault_;
};

/// "lockstep-verbs/1", apart from the rest.
Expected<std::string_view> after_version(std::string_view text) {
  const std::size_t space = std::min(text.find(' '), text.size());
  const std::string_view version = text.substr(0, space);
  if (version == fmt::format("{}/{}", kName, kVersion)) {
    return text.substr(std::min(space + 1, text.size()));
  }
  return fail(
      ErrorCode::mismatch,
      fmt::format("the peer's verbs parameters are of version '{}', this member's of '{}/{}'; "
                  "run one release of Lockstep on all members",
                  printable(version), kName, kVersion));
}

}  // namespace

std::string encode(const VerbsParameters& parameters) {
  std::string gid;
  for (const std::uint8_t byte : parameters.gid) gid += fmt::format("{:02x}", byte);
  return fmt::format(
      "{}/{} qp={:x} psn={:x} ethernet={:x} lid={:x} gid={} mtu={:x} ordered={:x} bytes={:x} "
      "address={:x} key={:x}",
      kName, kVersion, parameters.queue_pair, parameters.packet_number,
      static_cast<int>(parameters.ethernet), parameters.lid, gid, parameters.path_mtu,
      static_cast<int>(parameters.keeps_order), parameters.region_bytes, parameters.region_address,
      parameters.region_key);
}

Expected<VerbsParameters> decode(std::string_view text) {
  if (text.size() > kMostParameterBytes) {
    return fail(ErrorCode::mismatch,
                fmt::format("the peer's verbs parameters are {} bytes long; allowed: {}",
                            text.size(), kMostParameterBytes));
  }
  auto fields = after_version(text);
  if (!fields) return std::unexpected(fields.error());
  Reader reader(*fields);
  VerbsParameters result;
  result.queue_pair = static_cast<std::uint32_t>(reader.number("qp", 0, kMost24Bits));
  result.packet_number = static_cast<std::uint32_t>(reader.number("psn", 0, kMost24Bits));
  result.ethernet = reader.number("ethernet", 0, 1) == 1;
  result.lid = static_cast<std::uint16_t>(reader.number("lid", 0, kMostUnicastLid));
  result.gid = reader.gid("gid");
  result.path_mtu = static_cast<std::uint8_t>(reader.number("mtu", 1, 5));
  result.keeps_order = reader.number("ordered", 0, 1) == 1;
  result.region_bytes = reader.number("bytes", 0, kMost64Bits);
  result.region_address = reader.number("address", 0, kMost64Bits);
  result.region_key = static_cast<std::uint32_t>(reader.number("key", 0, kMost32Bits));
  if (const std::string fault = reader.finish(); !fault.empty()) {
    return fail(ErrorCode::mismatch,
                fmt::format("the peer's verbs parameters are malformed at {}; run one release of "
                            "Lockstep on all members",
                            fault));
  }
  return result;
}

}  // namespace lockstep::transports
