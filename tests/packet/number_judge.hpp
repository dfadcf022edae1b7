#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "transports/packet/packet.hpp"

namespace lockstep::transports::packet {

/// Looks at the encrypted packets of one direction for numbers that were used twice under one key:
/// a number that stands before other bytes, or bytes that were encrypted alike under two.
class NumberJudge {
 public:
  void look(std::span<const std::byte> packet) {
    Head head;
    std::memcpy(&head, packet.data(), sizeof head);
    const auto number = std::tuple(head.key, static_cast<unsigned>(head.kind), head.transmission);
    const auto [first, is_new] = packets_.try_emplace(number, packet.begin(), packet.end());
    if (!is_new && !std::ranges::equal(first->second, packet)) wrong_ = "a number came twice";
    Start start;
    if (packet.size() < sizeof head + sizeof start) return;
    std::memcpy(start.data(), packet.data() + sizeof head, sizeof start);
    const auto [before, fresh] = starts_.try_emplace(start, number);
    if (!fresh && before->second != number) wrong_ = "two packets were encrypted alike";
  }
  /// Empty: nothing.
  [[nodiscard]] const std::string& wrong() const { return wrong_; }

 private:
  using Number = std::tuple<std::uint32_t, unsigned, std::uint64_t>;
  using Start = std::array<std::byte, 16>;
  std::map<Number, std::vector<std::byte>> packets_;
  std::map<Start, Number> starts_;
  std::string wrong_;
};

}  // namespace lockstep::transports::packet
