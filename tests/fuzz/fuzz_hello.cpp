// What a stranger may say to a member: a hello with addresses in it, and the stream of writes that
// follows it. Nothing
// may be read or written out of bounds, and nothing that was refused may be acted on.

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include "transports/hello/address_book.hpp"
#include "transports/hello/hello_packet.hpp"
#include "transports/stream/inbound_stream.hpp"

namespace {

using namespace lockstep::transports;

void require(bool condition) {
  if (!condition) std::abort();
}

/// What a hello says of addresses: of this member nothing is taken, few of each other one are kept,
/// and what is told to others can be said in a hello again.
void note_words(const Hello& hello) {
  constexpr std::uint32_t kMembers = 5;
  const std::vector<std::string> configured = {"10.0.0.1:7000", "", "10.0.0.3:7000", "", ""};
  AddressBook book(configured, 0, 1);
  const std::uint32_t teller = hello.rank % kMembers;
  for (const char* host : {"10.0.0.9", "fd00::9", ""}) {
    book.heed(teller, host, hello.words);
    const auto words = book.words();
    require(words.front().rank == 0 && words.front().address == configured[0]);
    require(decode_words(encode_words(words)).has_value());
  }
  require(book.address(0).empty());
  for (std::uint32_t rank = 1; rank < kMembers; ++rank) {
    require(rank != 2 || !book.address(rank).empty());
    for (std::size_t tried = 0; !book.exhausted(rank); ++tried) {
      require(tried < AddressBook::kMostPerMember);
      book.nobody_there(rank, book.address(rank));
    }
  }
}

void hear_hello(std::span<const std::byte> bytes) {
  const auto said = hello_bytes(bytes);
  const auto hello = decode(bytes);
  if (!hello) return;
  require(said.has_value() && *said <= kMaxHelloBytes);
  if (hello->version != kHelloVersion) return;
  const auto again = encode(*hello);
  require(std::ranges::equal(again, bytes));
  note_words(*hello);
}

/// The first byte says in which pieces the rest arrives.
void receive_stream(std::span<const std::byte> bytes) {
  constexpr std::size_t kRegion = 256;
  constexpr std::byte kUntouched{0x5a};
  if (bytes.empty()) return;
  const std::size_t piece = 1 + std::to_integer<std::size_t>(bytes[0]) % 61;
  bytes = bytes.subspan(1);
  std::vector<std::byte> memory(64 + kRegion * kRegionCopies + 64, kUntouched);
  stream::InboundStream stream(std::span(memory).subspan(64, kRegion * kRegionCopies), kRegion);
  while (!bytes.empty()) {
    const std::size_t some = std::min(piece, bytes.size());
    stream.feed(bytes.first(some));
    bytes = bytes.subspan(some);
  }
  const auto untouched = [&](std::size_t at) { return memory[at] == kUntouched; };
  for (std::size_t i = 0; i < 64; ++i) {
    require(untouched(i) && untouched(memory.size() - 1 - i));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span bytes(reinterpret_cast<const std::byte*>(data), size);
  hear_hello(bytes);
  receive_stream(bytes);
  return 0;
}
