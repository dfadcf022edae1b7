#pragma once

#include <string>
#include <string_view>

namespace lockstep::bench {

/// `text` as it must stand in HTML or SVG, between tags or in a quoted attribute, to be read as
/// itself. What is no character of XML (control characters) becomes a space.
std::string escape_markup(std::string_view text);

/// A duration for people, three digits and the unit that suits it: "261 ns", "5.90 µs", "1.20 ms".
std::string duration_words(double ns);

}  // namespace lockstep::bench
