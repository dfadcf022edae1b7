#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lockstep/config.hpp"
#include "runtime/endpoint.hpp"

namespace lockstep::transports {

/// What a hello says of one member: where it listens, as it said itself.
struct AddressWord {
  std::uint32_t rank = 0;
  /// Of two words the one of the higher version is newer: the time at which the member came, in ns
  /// of its own clock, or a little more. At least 1.
  std::uint64_t version = 0;
  std::string address{};  ///< as runtime::parse_endpoint reads it, without a scope
};

/// A rank, a length, a version, and the address.
inline constexpr std::size_t kMaxAddressWordBytes = 1 + 1 + 8 + runtime::kMostEndpointCharacters;
inline constexpr std::size_t kMaxAddressWordsBytes = kMaxMembers * kMaxAddressWordBytes;

/// `words` by ascending rank, each rank once; at most kMaxAddressWordsBytes.
std::string encode_words(std::span<const AddressWord> words);

/// Anything may arrive; nothing unless it is what `encode_words` makes: of addresses that
/// configurations may have, too.
std::optional<std::vector<AddressWord>> decode_words(std::string_view text);

}  // namespace lockstep::transports
