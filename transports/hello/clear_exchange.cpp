#include "transports/hello/clear_exchange.hpp"

#include <cstring>
#include <utility>

#include "transports/hello/hello_packet.hpp"

namespace lockstep::transports {

Heard ClearExchange::hear(std::span<const std::byte> bytes) {
  heard_.insert(heard_.end(), bytes.begin(), bytes.end());
  if (heard_.size() == sizeof(Preamble)) {
    Preamble preamble;
    std::memcpy(&preamble, heard_.data(), sizeof preamble);
    if (preamble.magic == kSecureMagic) return hear_secure(preamble);
    if (preamble.magic != kHelloMagic) return refused("sent what is no hello");
    wanted_ = sizeof(HelloHeader) - sizeof(Preamble);
    return {};
  }
  const auto whole = hello_bytes(heard_);
  if (!whole) return refused("sent a hello of impossible length");
  wanted_ = *whole - heard_.size();
  if (wanted_ > 0) return {};
  return {.what = Heard::What::hello, .packet = std::move(heard_)};
}

Heard ClearExchange::hear_secure(Preamble preamble) {
  if (preamble.what == std::to_underlying(Word::opening)) {
    output_ = bytes_of(Preamble{kSecureMagic, std::to_underlying(Word::no_key)});
  } else if (preamble.what != std::to_underlying(Word::key_needed)) {
    return refused("sent what is no hello");
  }
  return {.what = Heard::What::mismatch,
          .reason =
              "has a key and wants members to authenticate, this one has none; set "
              "group.key_file alike everywhere"};
}

void ClearExchange::say(std::span<const std::byte> hello) {
  output_.assign(hello.begin(), hello.end());
  said_ = true;
}

std::vector<std::byte> ClearExchange::take_output() { return std::exchange(output_, {}); }

}  // namespace lockstep::transports
