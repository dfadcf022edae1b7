#pragma once

#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <string_view>

#include "tools/launch/text.hpp"

namespace lockstep::examples {

/// The steps of the story, in the order in which they are told: what happens at several members
/// has no order between them.
enum class Step : std::uint8_t {
  view_1,
  put_5,
  put_10,
  crash,
  put_20,
  view_2,
  save,
  load,
  view_3,
  put_30,
};
inline constexpr std::size_t kSteps = 10;

/// What one member saw, a line per step; empty: it did not see that. Zero bytes are an empty one,
/// so it can live in a launch::SharedArray and be read when its writer has died.
struct Transcript {
  using Line = std::array<char, 80>;
  std::array<Line, kSteps> lines;

  template <class... Words>
  void tell(Step step, fmt::format_string<Words...> format, Words&&... words) {
    launch::store_text(lines[static_cast<std::size_t>(step)],
                       fmt::format(format, std::forward<Words>(words)...));
  }
  [[nodiscard]] std::string_view line(std::size_t step) const { return lines[step].data(); }
};

}  // namespace lockstep::examples
