// What a stranger, an eavesdropper who plays back and alters, and a member that went mad may say to
// a member that has a key. Nothing may be read out of bounds, what is wanted next stays bounded,
// and no hello is heard but one that a member sealed for this very connection.

#include <sodium.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "transports/hello/authenticated_exchange.hpp"
#include "transports/hello/clear_exchange.hpp"

namespace {

using namespace lockstep::transports;

using Bytes = std::vector<std::byte>;

void require(bool condition) {
  if (!condition) std::abort();
}

/// A found input must fail again, so chance is the same in every run.
std::mt19937 chance;

const GroupKey& key() {
  static const GroupKey one = [] {
    static randombytes_implementation repeatable = {
        .implementation_name = [] { return "repeatable"; },
        .random = [] { return static_cast<std::uint32_t>(chance()); },
        .stir = nullptr,
        .uniform = nullptr,
        .buf =
            [](void* place, const std::size_t bytes) {
              std::generate_n(static_cast<unsigned char*>(place), bytes,
                              [] { return static_cast<unsigned char>(chance()); });
            },
        .close = nullptr};
    randombytes_set_implementation(&repeatable);
    return GroupKey::from_hex(std::string(2 * GroupKey::kBytes, '7')).value();
  }();
  return one;
}

constexpr std::size_t kMostWanted = kMaxHelloBytes + 256;

/// Lets `end` hear `bytes` until it has enough of them. What it heard last.
Heard hear(HelloExchange& end, std::span<const std::byte>& bytes) {
  Heard heard;
  while (heard.what == Heard::What::nothing) {
    const std::size_t wanted = end.wanted();
    require(wanted > 0 && wanted <= kMostWanted);
    if (bytes.size() < wanted) break;
    heard = end.hear(bytes.first(wanted));
    bytes = bytes.subspan(wanted);
    require(heard.what != Heard::What::refused || !heard.reason.empty());
  }
  return heard;
}

AuthenticatedExchange make(Side side) { return {key(), side, {.group = "fuzz"}}; }

Bytes hello_of(std::uint32_t rank) {
  return encode({.rank = rank, .introduction = "me", .parameters = "and mine"});
}

/// A stranger who does not know the key.
void hear_stranger(Side side, std::span<const std::byte> bytes) {
  AuthenticatedExchange end = make(side);
  end.say(hello_of(0));
  require(hear(end, bytes).what != Heard::What::hello);
  require(end.take_output().size() <= sizeof(Preamble) + sizeof(Greeting));
}

void hear_in_the_clear(std::span<const std::byte> bytes) {
  ClearExchange end;
  const auto all = bytes;
  const Heard heard = hear(end, bytes);
  if (heard.what != Heard::What::hello) return;
  require(std::ranges::equal(heard.packet, all.first(heard.packet.size())));
  require(hello_bytes(heard.packet) == heard.packet.size());
}

/// Two members, and `change` laid over what goes to one of them, from the byte `place` on: they
/// meet if that changes nothing, and whoever hears a change meets nobody.
void hear_altered(std::size_t hearer_of_changes, std::size_t place,
                  std::span<const std::byte> change) {
  AuthenticatedExchange ends[2] = {make(Side::dialler), make(Side::welcomer)};
  ends[0].say(hello_of(1));
  std::size_t passed = 0;
  bool altered = false;
  for (std::size_t turn = 0; turn < 4; ++turn) {
    const std::size_t hearer = 1 - turn % 2;
    Bytes said = ends[1 - hearer].take_output();
    for (std::size_t i = 0; hearer == hearer_of_changes && i < said.size(); ++i, ++passed) {
      if (passed < place || passed - place >= change.size()) continue;
      said[i] ^= change[passed - place];
      altered |= change[passed - place] != std::byte{0};
    }
    std::span<const std::byte> rest = said;
    const Heard heard = hear(ends[hearer], rest);
    if (altered && hearer == hearer_of_changes) {
      require(heard.what == Heard::What::refused);
      return;
    }
    require(rest.empty());
    require(heard.what == (turn < 2 ? Heard::What::nothing : Heard::What::hello));
    if (turn == 2) ends[1].say(hello_of(0));
  }
}

/// A member that seals whatever it likes.
void hear_member(std::span<const std::byte> hello) {
  hello = hello.first(std::min(hello.size(), kMaxHelloBytes));
  if (hello.size() < sizeof(HelloHeader)) return;
  Secret shared;
  std::fill_n(shared.data(), Secret::size(), static_cast<unsigned char>(9));
  const Bytes sealed = seal(shared, hello);
  std::span<const std::byte> rest = sealed;
  SealedHello reader(shared);
  while (!reader.complete()) {
    const std::size_t wanted = reader.wanted();
    require(wanted > 0 && wanted <= kMostWanted);
    if (rest.size() < wanted || !reader.open(rest.first(wanted))) return;
    rest = rest.subspan(wanted);
  }
  require(std::ranges::equal(reader.hello(), hello.first(reader.hello().size())));
  static_cast<void>(decode(reader.hello()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 3) return 0;
  chance.seed(1);
  static_cast<void>(key());
  const auto rest = std::as_bytes(std::span(data + 3, size - 3));
  const std::size_t place = data[1] + 256U * data[2];
  switch (data[0] % 6) {
    case 0:
      hear_stranger(Side::welcomer, rest);
      break;
    case 1:
      hear_stranger(Side::dialler, rest);
      break;
    case 2:
      hear_in_the_clear(rest);
      break;
    case 3:
      hear_member(rest);
      break;
    default:
      hear_altered(data[0] % 6 == 4 ? 1 : 0, place % 512, rest);
  }
  return 0;
}
