#include "transports/hello/hello_packet.hpp"

#include <fmt/format.h>

#include <bit>
#include <cstring>
#include <string_view>
#include <utility>

#include "runtime/assert.hpp"

namespace lockstep::transports {
namespace {

static_assert(std::endian::native == std::endian::little);

std::optional<HelloHeader> header_of(std::span<const std::byte> packet) {
  HelloHeader header;
  if (packet.size() < sizeof header) return std::nullopt;
  std::memcpy(&header, packet.data(), sizeof header);
  if (header.magic != kHelloMagic) return std::nullopt;
  return header;
}

}  // namespace

std::string to_string(Medium medium) {
  switch (medium) {
    case Medium::shm:
      return "shm";
    case Medium::tcp:
      return "tcp";
    case Medium::verbs:
      return "verbs";
    case Medium::udp:
      return "udp";
    case Medium::dpdk:
      return "dpdk";
    case Medium::automatic:
      return "auto";
  }
  return fmt::format("number {}", std::to_underlying(medium));
}

std::vector<std::byte> encode(const Hello& hello) {
  LOCKSTEP_ASSERT(hello.introduction.size() <= kMaxIntroductionBytes);
  LOCKSTEP_ASSERT(hello.parameters.size() <= kMaxParametersBytes);
  const std::string words = encode_words(hello.words);
  const HelloHeader header{
      .magic = kHelloMagic,
      .version = hello.version,
      .medium = std::to_underlying(hello.medium),
      .purpose = std::to_underlying(hello.purpose),
      .rank = hello.rank,
      .region_bytes = hello.region_bytes,
      .introduction_bytes = static_cast<std::uint16_t>(hello.introduction.size()),
      .parameters_bytes = static_cast<std::uint16_t>(hello.parameters.size()),
      .words_bytes = static_cast<std::uint32_t>(words.size()),
      .standing = hello.standing};
  std::vector<std::byte> packet(sizeof header + sizeof hello.machine);
  std::memcpy(packet.data(), &header, sizeof header);
  std::memcpy(packet.data() + sizeof header, &hello.machine, sizeof hello.machine);
  for (const std::string* const text : {&hello.introduction, &hello.parameters, &words}) {
    const auto bytes = std::as_bytes(std::span(*text));
    packet.insert(packet.end(), bytes.begin(), bytes.end());
  }
  return packet;
}

std::optional<std::size_t> hello_bytes(std::span<const std::byte> start) {
  const auto header = header_of(start);
  if (!header) return std::nullopt;
  if (header->version != kHelloVersion) return sizeof(HelloHeader);
  if (header->introduction_bytes > kMaxIntroductionBytes) return std::nullopt;
  if (header->parameters_bytes > kMaxParametersBytes) return std::nullopt;
  if (header->words_bytes > kMaxAddressWordsBytes) return std::nullopt;
  return sizeof(HelloHeader) + sizeof(Machine) + header->introduction_bytes +
         header->parameters_bytes + header->words_bytes;
}

std::optional<Hello> decode(std::span<const std::byte> packet) {
  const auto bytes = hello_bytes(packet);
  if (!bytes) return std::nullopt;
  const HelloHeader header = *header_of(packet);
  if (header.version != kHelloVersion) return Hello{.version = header.version};
  if (packet.size() != *bytes) return std::nullopt;
  if (header.purpose > std::to_underlying(kLastPurpose)) return std::nullopt;
  std::string_view rest(reinterpret_cast<const char*>(packet.data()), packet.size());
  rest.remove_prefix(sizeof header);
  Machine machine;
  std::memcpy(&machine, rest.data(), sizeof machine);
  rest.remove_prefix(sizeof machine);
  const auto take = [&rest](std::size_t length) {
    const std::string_view text = rest.substr(0, length);
    rest.remove_prefix(length);
    return std::string(text);
  };
  std::string introduction = take(header.introduction_bytes);
  std::string parameters = take(header.parameters_bytes);
  auto words = decode_words(rest);
  if (!words) return std::nullopt;
  return Hello{.medium = static_cast<Medium>(header.medium),
               .purpose = static_cast<Purpose>(header.purpose),
               .rank = header.rank,
               .region_bytes = header.region_bytes,
               .standing = header.standing,
               .machine = machine,
               .introduction = std::move(introduction),
               .parameters = std::move(parameters),
               .words = std::move(*words)};
}

}  // namespace lockstep::transports
