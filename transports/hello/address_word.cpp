#include "transports/hello/address_word.hpp"

#include <cstring>

#include "runtime/assert.hpp"

namespace lockstep::transports {
namespace {

/// What stands before each address. Little-endian; packed by hand, since it has no alignment.
struct WordHeader {
  std::uint8_t rank = 0;
  std::uint8_t bytes = 0;
  std::uint64_t version = 0;

  static constexpr std::size_t kBytes = 10;
};
static_assert(WordHeader::kBytes + runtime::kMostEndpointCharacters == kMaxAddressWordBytes);
static_assert(kMaxMembers <= 256 && runtime::kMostEndpointCharacters < 256);

WordHeader header_at(const char* place) {
  WordHeader header;
  std::memcpy(&header.rank, place, 1);
  std::memcpy(&header.bytes, place + 1, 1);
  std::memcpy(&header.version, place + 2, sizeof header.version);
  return header;
}

void append(std::string& text, const WordHeader& header) {
  char place[WordHeader::kBytes];
  std::memcpy(place, &header.rank, 1);
  std::memcpy(place + 1, &header.bytes, 1);
  std::memcpy(place + 2, &header.version, sizeof header.version);
  text.append(place, sizeof place);
}

/// A scope names an interface of the host that said it.
bool fits(const std::string& address) {
  return !address.contains('%') && runtime::parse_endpoint(address).has_value();
}

}  // namespace

std::string encode_words(std::span<const AddressWord> words) {
  std::string text;
  std::uint32_t least = 0;
  for (const AddressWord& word : words) {
    LOCKSTEP_ASSERT(word.rank >= least);
    LOCKSTEP_ASSERT(word.rank < kMaxMembers);
    LOCKSTEP_ASSERT(word.address.size() <= runtime::kMostEndpointCharacters);
    least = word.rank + 1;
    append(text, {.rank = static_cast<std::uint8_t>(word.rank),
                  .bytes = static_cast<std::uint8_t>(word.address.size()),
                  .version = word.version});
    text += word.address;
  }
  return text;
}

std::optional<std::vector<AddressWord>> decode_words(std::string_view text) {
  std::vector<AddressWord> words;
  std::uint32_t least = 0;
  while (!text.empty()) {
    if (text.size() < WordHeader::kBytes) return std::nullopt;
    const WordHeader header = header_at(text.data());
    text.remove_prefix(WordHeader::kBytes);
    if (header.rank < least || header.rank >= kMaxMembers || header.version == 0) {
      return std::nullopt;
    }
    if (header.bytes > text.size()) return std::nullopt;
    least = std::uint32_t{header.rank} + 1;
    words.push_back({.rank = header.rank,
                     .version = header.version,
                     .address = std::string(text.substr(0, header.bytes))});
    if (!fits(words.back().address)) return std::nullopt;
    text.remove_prefix(header.bytes);
  }
  return words;
}

}  // namespace lockstep::transports
