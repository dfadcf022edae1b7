#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>

namespace lockstep::launch {

/// Puts a text where processes share memory: cut to what fits, and ended by a zero byte.
template <std::size_t size>
void store_text(std::array<char, size>& into, std::string_view text) {
  const std::size_t kept = std::min(text.size(), size - 1);
  std::copy_n(text.begin(), kept, into.begin());
  into[kept] = '\0';
}

}  // namespace lockstep::launch
