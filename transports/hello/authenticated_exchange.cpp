#include "transports/hello/authenticated_exchange.hpp"

#include <cstring>
#include <utility>

#include "runtime/assert.hpp"

namespace lockstep::transports {
namespace {

constexpr const char* kWhatDiffers =
    "key, group, version or rank differ; make group.key_file, group.name, group.members and the "
    "build the same everywhere";

/// `bytes` as one of the fixed packets.
template <class Packet>
Packet packet_of(std::span<const std::byte> bytes) {
  Packet packet;
  LOCKSTEP_ASSERT(bytes.size() == sizeof packet);
  std::memcpy(&packet, bytes.data(), sizeof packet);
  return packet;
}

}  // namespace

AuthenticatedExchange::AuthenticatedExchange(const GroupKey& key, Side side, HandshakeTerms terms)
    : side_(side), handshake_(key, std::move(terms)) {
  if (side_ == Side::dialler) send(Word::opening, handshake_.opening());
}

std::size_t AuthenticatedExchange::wanted() const {
  switch (stage_) {
    case Stage::preamble:
      return sizeof(Preamble);
    case Stage::greeting:
      return sizeof(Greeting);
    case Stage::confirmation:
      return sizeof(Tag);
    case Stage::hello:
      break;
  }
  return theirs_->wanted();
}

Heard AuthenticatedExchange::hear(std::span<const std::byte> bytes) {
  switch (stage_) {
    case Stage::preamble:
      return hear_preamble(bytes);
    case Stage::greeting:
      return hear_greeting(bytes);
    case Stage::confirmation:
      return hear_confirmation(bytes);
    case Stage::hello:
      break;
  }
  return hear_hello(bytes);
}

Heard AuthenticatedExchange::hear_preamble(std::span<const std::byte> bytes) {
  const auto preamble = packet_of<Preamble>(bytes);
  if (preamble.magic == kHelloMagic) {
    return refuse(Word::key_needed, "has no key; set group.key_file there");
  }
  if (preamble.magic != kSecureMagic) return refused("sent what is no handshake");
  const bool dialler = side_ == Side::dialler;
  const Word expected = dialler ? Word::answer : Word::opening;
  const auto word = static_cast<Word>(preamble.what);
  if (word == expected) {
    stage_ = Stage::greeting;
    return {};
  }
  if (dialler && word == Word::no_key) return refused("has no key; set group.key_file there");
  if (dialler && word == Word::refused) {
    return refused(std::string("refused the handshake: ") + kWhatDiffers);
  }
  return refused("sent what is no handshake");
}

Heard AuthenticatedExchange::hear_greeting(std::span<const std::byte> bytes) {
  const auto greeting = packet_of<Greeting>(bytes);
  if (side_ == Side::dialler) {
    if (!handshake_.accepts(greeting)) {
      return refused(std::string("failed the handshake: ") + kWhatDiffers);
    }
    trust();
    return {};
  }
  const auto answer = handshake_.answer(greeting);
  if (!answer) {
    return refuse(Word::refused, std::string("failed the handshake: ") + kWhatDiffers);
  }
  send(Word::answer, *answer);
  stage_ = Stage::confirmation;
  return {};
}

Heard AuthenticatedExchange::hear_confirmation(std::span<const std::byte> bytes) {
  if (!handshake_.confirms(packet_of<Tag>(bytes))) {
    return refused("did not confirm its handshake: it was played back or altered");
  }
  trust();
  return {};
}

Heard AuthenticatedExchange::hear_hello(std::span<const std::byte> bytes) {
  if (!theirs_->open(bytes)) return refused("sent a hello that was altered");
  if (!theirs_->complete()) return {};
  return {.what = Heard::What::hello, .packet = theirs_->hello()};
}

Heard AuthenticatedExchange::refuse(Word word, std::string reason) {
  output_ = bytes_of(Preamble{kSecureMagic, std::to_underlying(word)});
  return refused(std::move(reason));
}

void AuthenticatedExchange::send(Word word, const Greeting& greeting) {
  struct {
    Preamble preamble;
    Greeting greeting;
  } const packet{.preamble = {kSecureMagic, std::to_underlying(word)}, .greeting = greeting};
  static_assert(sizeof packet == sizeof(Preamble) + sizeof(Greeting));
  output_ = bytes_of(packet);
}

void AuthenticatedExchange::trust() {
  theirs_.emplace(handshake_.sealing_key(other_side()));
  stage_ = Stage::hello;
  if (side_ == Side::dialler) {
    const auto confirmation = std::as_bytes(std::span(handshake_.confirmation()));
    output_.insert(output_.end(), confirmation.begin(), confirmation.end());
  }
  send_hello();
}

void AuthenticatedExchange::say(std::span<const std::byte> hello) {
  mine_.assign(hello.begin(), hello.end());
  if (stage_ == Stage::hello) send_hello();
}

void AuthenticatedExchange::send_hello() {
  if (mine_.empty()) return;
  const auto sealed = seal(handshake_.sealing_key(side_), std::exchange(mine_, {}));
  output_.insert(output_.end(), sealed.begin(), sealed.end());
}

std::vector<std::byte> AuthenticatedExchange::take_output() { return std::exchange(output_, {}); }

std::unique_ptr<LinkKeys> AuthenticatedExchange::take_keys() {
  auto keys = std::make_unique<LinkKeys>();
  handshake_.take_link_key(side_, keys->sending);
  handshake_.take_link_key(other_side(), keys->receiving);
  return keys;
}

std::string AuthenticatedExchange::closing_means() const {
  if (side_ == Side::welcomer || !early()) return "closed the connection during the handshake";
  return std::string("closed the connection during the handshake: perhaps ") + kWhatDiffers;
}

}  // namespace lockstep::transports
