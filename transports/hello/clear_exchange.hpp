#pragma once

#include <span>
#include <string>
#include <vector>

#include "transports/hello/hello_exchange.hpp"

namespace lockstep::transports {

/// Hellos as they are, of members that have no key: whoever reaches the port is believed. A member
/// that has a key is told so, and ends the meeting with a message how to mend it.
class ClearExchange final : public HelloExchange {
 public:
  [[nodiscard]] std::size_t wanted() const override { return wanted_; }
  Heard hear(std::span<const std::byte> bytes) override;
  void say(std::span<const std::byte> hello) override;
  std::vector<std::byte> take_output() override;
  [[nodiscard]] bool early() const override { return !said_; }
  [[nodiscard]] std::string closing_means() const override { return {}; }

 private:
  Heard hear_secure(Preamble preamble);

  std::vector<std::byte> heard_;
  std::vector<std::byte> output_;
  std::size_t wanted_ = sizeof(Preamble);
  bool said_ = false;
};

}  // namespace lockstep::transports
