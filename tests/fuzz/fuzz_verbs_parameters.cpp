// What a peer may say of its end of an RDMA connection. Nothing may be read out of bounds; what is
// taken is what this release could have said, and what is refused is refused in words that harm
// nobody's terminal.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "transports/verbs/parameters.hpp"

namespace {

using namespace lockstep::transports;

constexpr std::uint32_t kMost24Bits = 0xff'ffff;

void require(bool condition) {
  if (!condition) std::abort();
}

/// Every value is one that a queue pair may be connected with.
void require_in_range(const VerbsParameters& parameters) {
  require(parameters.queue_pair <= kMost24Bits);
  require(parameters.packet_number <= kMost24Bits);
  require(parameters.lid <= 0xbfff);
  require(parameters.path_mtu >= 1 && parameters.path_mtu <= 5);
}

void hear(std::string_view text) {
  const auto heard = decode(text);
  if (!heard) {
    require(!heard.error().message.empty());
    require(std::ranges::none_of(heard.error().message, [](char c) { return c >= 0 && c < ' '; }));
    return;
  }
  require(text.size() <= kMostParameterBytes);
  require_in_range(*heard);
  const std::string said = encode(*heard);
  require(said.size() <= kMostParameterBytes);
  const auto again = decode(said);
  require(again.has_value() && *again == *heard);
}

/// What a member says, but for one place: the first byte says where, the second how much is left
/// out there, the rest is put in its stead. So the fuzzer need not find all fields before the last.
void hear_altered(std::string_view bytes) {
  if (bytes.size() < 2) return;
  std::string text = encode({.queue_pair = 17, .packet_number = 0xabcdef, .path_mtu = 3});
  const std::size_t place = static_cast<std::uint8_t>(bytes[0]) % (text.size() + 1);
  text.replace(place, static_cast<std::uint8_t>(bytes[1]), bytes.substr(2));
  hear(text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  hear(bytes);
  hear_altered(bytes);
  return 0;
}
