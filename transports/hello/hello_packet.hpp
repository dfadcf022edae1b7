#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "transports/hello/address_word.hpp"

namespace lockstep::transports {

/// Which medium a hello is about: two members that chose differently must both learn of it.
/// `automatic`: each pair chooses for itself.
enum class Medium : std::uint16_t { shm = 1, tcp = 2, verbs = 3, udp = 4, dpdk = 5, automatic = 6 };
std::string to_string(Medium medium);

/// What the connection is for over which a hello is said.
enum class Purpose : std::uint16_t {
  link,       ///< everything that the two members say to one another
  life_line,  ///< nothing but its end, see LifeLines
  state,      ///< a joiner fetches the state, see StateChannel
  question,   ///< nothing but the answer: how the member stands
  mend,       ///< as `link`, between members of a running group whose link broke
};
inline constexpr Purpose kLastPurpose = Purpose::mend;
/// Whether the two make a link, so that each says what that needs.
constexpr bool makes_link(Purpose purpose) {
  return purpose == Purpose::link || purpose == Purpose::mend;
}

inline constexpr std::uint32_t kHelloVersion = 6;
inline constexpr std::uint32_t kHelloMagic = 0x4b534b4c;  // "LKSK"
inline constexpr std::size_t kMaxIntroductionBytes = 16'384;
inline constexpr std::size_t kMaxParametersBytes = 1'024;

/// How a member stands with the group, as it says itself.
struct Standing {
  std::uint64_t incarnation = 0;  ///< a random number for each time that it comes
  std::uint64_t view = 0;         ///< the one it is in; 0: in none yet
  std::uint64_t links = 0;        ///< the members of that view, a bit each
  std::uint64_t room = 0;         ///< whose links nobody uses: they may join, a bit each
};

/// Where a member runs, as it says itself, for choosing how a link to it is sealed.
struct Machine {
  std::uint64_t host = 0;       ///< a digest of runtime::host_identity: equal on one host
  std::uint64_t abilities = 0;  ///< a bit each, see kHasAes

  bool operator==(const Machine&) const = default;
};
static_assert(sizeof(Machine) == 16);
inline constexpr std::uint64_t kHasAes = 1;  ///< CipherKind::aes256_gcm

/// Stands before the machine and the three texts of a hello. Little-endian, like every machine
/// Lockstep runs on. It has 64 bytes in every version: so much is read before the version is known.
struct HelloHeader {
  std::uint32_t magic = 0;
  std::uint32_t version = 0;
  std::uint16_t medium = 0;
  std::uint16_t purpose = 0;
  std::uint32_t rank = 0;
  std::uint64_t region_bytes = 0;
  std::uint16_t introduction_bytes = 0;
  std::uint16_t parameters_bytes = 0;
  std::uint32_t words_bytes = 0;
  Standing standing{};
};
static_assert(sizeof(HelloHeader) == 64);

static_assert(kMaxIntroductionBytes < 1U << 16U && kMaxParametersBytes < 1U << 16U);

inline constexpr std::size_t kMaxHelloBytes = sizeof(HelloHeader) + sizeof(Machine) +
                                              kMaxIntroductionBytes + kMaxParametersBytes +
                                              kMaxAddressWordsBytes;

/// What one member says of itself.
struct Hello {
  std::uint32_t version = kHelloVersion;
  Medium medium = Medium::shm;
  Purpose purpose = Purpose::link;
  std::uint32_t rank = 0;
  std::uint64_t region_bytes = 0;
  Standing standing{};
  Machine machine{};
  std::string introduction{};        ///< not interpreted here
  std::string parameters{};          ///< of the medium: region keys and the like
  std::vector<AddressWord> words{};  ///< where members listen, by ascending rank
};

std::vector<std::byte> encode(const Hello& hello);

/// How many bytes the hello that begins with `start` (at least a header) has; nothing if it is
/// none. Of a hello of another version only the header is known to be one.
std::optional<std::size_t> hello_bytes(std::span<const std::byte> start);

/// Anything may arrive; nothing if it is no hello. Of another version only `version` is set.
std::optional<Hello> decode(std::span<const std::byte> packet);

}  // namespace lockstep::transports
