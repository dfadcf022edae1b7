#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "transports/hello/link_keys.hpp"
#include "transports/hello/meeting_place.hpp"

namespace lockstep::transports {

/// What the two ends of a stream say to one another until each has the other's hello. Sees no
/// socket: it says how many bytes it wants next, takes exactly these, and hands over what is to be
/// sent. So nothing a peer sends is read beyond what has a meaning, and what the transport sends
/// after the hello stays in the stream.
class HelloExchange {
 public:
  virtual ~HelloExchange() = default;
  /// At least 1 until a hello was heard or the peer was refused, and then of no meaning. Bounded by
  /// kMaxHelloBytes and what sealing adds.
  [[nodiscard]] virtual std::size_t wanted() const = 0;
  /// Takes `wanted()` bytes. `closed` does not come from here.
  virtual Heard hear(std::span<const std::byte> bytes) = 0;
  /// This member's own hello; may wait here until it can be sealed.
  virtual void say(std::span<const std::byte> hello) = 0;
  /// What is to be sent now. Empties it.
  virtual std::vector<std::byte> take_output() = 0;
  /// The keys of the link that comes of this, once the peer's hello was heard; null where hellos
  /// are not sealed. Once.
  virtual std::unique_ptr<LinkKeys> take_keys() { return nullptr; }
  /// See Conversation::early.
  [[nodiscard]] virtual bool early() const = 0;
  /// What it may mean that the peer closed the connection now; empty: nothing in particular.
  [[nodiscard]] virtual std::string closing_means() const = 0;
};

/// Every stream begins with two words, in both directions: a magic number, and what it is.
struct Preamble {
  std::uint32_t magic = 0;
  std::uint32_t what = 0;
};
static_assert(sizeof(Preamble) == 8);

/// Begins what members with a key say; a hello in the clear begins with kHelloMagic.
inline constexpr std::uint32_t kSecureMagic = 0x41534b4c;  // "LKSA"

/// The second word after kSecureMagic. Refusals say no more than that; anybody may forge them.
enum class Word : std::uint32_t {
  opening = 1,
  answer = 2,
  refused = 3,     ///< key, group, version or rank differ: which of them is not told
  key_needed = 4,  ///< to who has no key
  no_key = 5,      ///< to who has one
};

/// A fixed packet as it is sent.
template <class Packet>
std::vector<std::byte> bytes_of(const Packet& packet) {
  const auto bytes = std::as_bytes(std::span(&packet, 1));
  return {bytes.begin(), bytes.end()};
}

}  // namespace lockstep::transports
