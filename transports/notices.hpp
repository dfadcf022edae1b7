#pragma once

#include <algorithm>
#include <span>
#include <string>
#include <vector>

namespace lockstep::transports {

/// What was tolerated or chosen, for people: each line once.
class Notices {
 public:
  /// An empty line says nothing.
  void add(const std::string& line) {
    if (!line.empty() && std::ranges::find(lines_, line) == lines_.end()) lines_.push_back(line);
  }
  void add(const Notices& others) {
    for (const std::string& line : others.lines_) add(line);
  }
  [[nodiscard]] std::span<const std::string> lines() const noexcept { return lines_; }

 private:
  std::vector<std::string> lines_;
};

}  // namespace lockstep::transports
