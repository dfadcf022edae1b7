#include "transports/hello/hello_packet.hpp"

#include <fmt/format.h>

#include <bit>
#include <cstring>
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
  }
  return fmt::format("number {}", std::to_underlying(medium));
}

std::vector<std::byte> encode(const Hello& hello) {
  LOCKSTEP_ASSERT(hello.introduction.size() <= kMaxIntroductionBytes);
  LOCKSTEP_ASSERT(hello.parameters.size() <= kMaxParametersBytes);
  const HelloHeader header{
      .magic = kHelloMagic,
      .version = hello.version,
      .medium = std::to_underlying(hello.medium),
      .purpose = std::to_underlying(hello.purpose),
      .rank = hello.rank,
      .region_bytes = hello.region_bytes,
      .introduction_bytes = static_cast<std::uint32_t>(hello.introduction.size()),
      .parameters_bytes = static_cast<std::uint32_t>(hello.parameters.size()),
      .standing = hello.standing};
  std::vector<std::byte> packet(sizeof header + hello.introduction.size() +
                                hello.parameters.size());
  std::byte* place = packet.data();
  std::memcpy(place, &header, sizeof header);
  place += sizeof header;
  std::memcpy(place, hello.introduction.data(), hello.introduction.size());
  place += hello.introduction.size();
  std::memcpy(place, hello.parameters.data(), hello.parameters.size());
  return packet;
}

std::optional<std::size_t> hello_bytes(std::span<const std::byte> start) {
  const auto header = header_of(start);
  if (!header) return std::nullopt;
  if (header->version != kHelloVersion) return sizeof(HelloHeader);
  if (header->introduction_bytes > kMaxIntroductionBytes) return std::nullopt;
  if (header->parameters_bytes > kMaxParametersBytes) return std::nullopt;
  return sizeof(HelloHeader) + header->introduction_bytes + header->parameters_bytes;
}

std::optional<Hello> decode(std::span<const std::byte> packet) {
  const auto bytes = hello_bytes(packet);
  if (!bytes) return std::nullopt;
  const HelloHeader header = *header_of(packet);
  if (header.version != kHelloVersion) return Hello{.version = header.version};
  if (packet.size() != *bytes) return std::nullopt;
  if (header.purpose > std::to_underlying(kLastPurpose)) return std::nullopt;
  const auto* text = reinterpret_cast<const char*>(packet.data()) + sizeof header;
  return Hello{
      .medium = static_cast<Medium>(header.medium),
      .purpose = static_cast<Purpose>(header.purpose),
      .rank = header.rank,
      .region_bytes = header.region_bytes,
      .standing = header.standing,
      .introduction = std::string(text, header.introduction_bytes),
      .parameters = std::string(text + header.introduction_bytes, header.parameters_bytes)};
}

}  // namespace lockstep::transports
